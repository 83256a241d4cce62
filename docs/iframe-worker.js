/* A browser starts no worker from a page that is opened as a file. There the search runs in a hidden frame instead. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "Search";
      document.documentElement.append(frame);
      const inner = frame.contentWindow;
      inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.answer = new Promise((loaded, failed) => {
        const script = inner.document.createElement("script");
        script.onload = () => loaded((data) => inner.dispatchEvent(new inner.MessageEvent("message", { data })));
        script.onerror = () => failed(new Error(`${address} cannot be loaded`));
        script.src = new URL(address, document.baseURI).href;
        inner.document.body.append(script);
      });
    }
    postMessage(data) {
      this.answer.then((send) => send(data));
    }
  };
}
