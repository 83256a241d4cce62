"use strict";
// Reads a timeline under the pointer, or by arrow keys; sorts and filters tables. The page is whole without it.
function clock(s, span) {
  if (span < 120) return s.toFixed(2) + " s";
  const t = Math.floor(s), two = (n) => String(n).padStart(2, "0");
  return (t >= 3600 ? Math.floor(t / 3600) + ":" + two(Math.floor(t / 60) % 60) : Math.floor(t / 60)) + ":" + two(t % 60);
}

function timeline(figure) {
  const wide = figure.querySelector(".wide"), cursor = figure.querySelector(".cursor");
  const readout = figure.querySelector(".readout"), svg = figure.querySelector("svg");
  const begin = Number(figure.dataset.begin), end = Number(figure.dataset.end), width = Number(figure.dataset.width);
  let lanes = null, at = 0;

  function read() {
    lanes = [];
    for (const path of svg.querySelectorAll("path[aria-label]")) {
      const [face, lane] = path.getAttribute("aria-label").split(": ");
      const spans = [...path.getAttribute("d").matchAll(/M([-\d.]+),[-\d.]+L([-\d.]+),/g)].map((m) => [Number(m[1]), Number(m[2])]);
      lanes.push({ face, lane, spans, path });
    }
  }

  function show(x, byKeys) {
    if (!lanes) read();
    at = Math.min(Math.max(x, 0), width);
    const faces = new Map();
    for (const { face, lane, spans } of lanes) {
      if (!faces.has(face)) faces.set(face, { seen: false, aus: [] });
      if (!spans.some(([a, b]) => a <= at && at < b)) continue;
      if (lane === "seen") faces.get(face).seen = true;
      else faces.get(face).aus.push(lane.split(" ")[0]);
    }
    const told = [...faces].map(([face, { seen, aus }]) => face + ": " + (aus.join(" ") || (seen ? "none" : "not seen")));
    const time = begin + (at / width) * (end - begin);
    readout.textContent = "At " + clock(time, end - begin) + " \u2013 " + told.join("; ");
    if (!lanes.length) return;
    const matrix = lanes[0].path.getScreenCTM(), frame = wide.getBoundingClientRect();
    const left = matrix.a * at + matrix.e - frame.left + wide.scrollLeft;
    cursor.style.left = left + "px";
    cursor.style.display = "block";
    if (byKeys && (left < wide.scrollLeft + 60 || left > wide.scrollLeft + wide.clientWidth - 60)) {
      wide.scrollLeft = left - wide.clientWidth / 2;
    }
  }

  svg.addEventListener("pointermove", (event) => {
    if (!lanes) read();
    if (!lanes.length) return;
    const matrix = lanes[0].path.getScreenCTM();
    show((event.clientX - matrix.e) / matrix.a);
  });
  svg.addEventListener("pointerleave", () => { cursor.style.display = "none"; });
  wide.addEventListener("keydown", (event) => {
    const step = (event.shiftKey ? 0.001 : 0.01) * width;
    const to = { ArrowLeft: at - step, ArrowRight: at + step, Home: 0, End: width - 0.001 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to, true);
  });
  wide.addEventListener("blur", () => { cursor.style.display = "none"; });
}

function sortable(table) {
  const head = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  head.forEach((cell, column) => {
    const button = cell.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = cell.getAttribute("aria-sort") === "ascending";
      head.forEach((other) => other.removeAttribute("aria-sort"));
      cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
      const rows = [...body.rows].map((row) => [value(row), row]);
      rows.sort(([a], [b]) => {
        const x = Number(a), y = Number(b);
        const order = a !== "" && b !== "" && !isNaN(x) && !isNaN(y) ? x - y : a.localeCompare(b, "en", { numeric: true });
        return down ? -order : order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}

function filter(input) {
  const rows = [...document.getElementById(input.dataset.table).tBodies[0].rows];
  const told = document.getElementById(input.dataset.told);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    let n = 0;
    for (const row of rows) {
      row.hidden = !row.cells[1].textContent.toLowerCase().includes(wanted);
      n += !row.hidden;
    }
    told.textContent = wanted ? n + " of " + rows.length : "";
  });
}

function sideways(boxes) {
  const hints = new Map();
  function look(some) {
    // Everything is measured before anything is changed: a page of hundreds of boxes is laid out once.
    const found = some.map((one) => [one, one.scrollWidth - one.clientWidth, one.scrollLeft]);
    for (const [one, rest, left] of found) {
      hints.get(one).hidden = rest < 2;
      one.classList.toggle("more-left", rest >= 2 && left > 2);
      one.classList.toggle("more-right", rest >= 2 && left < rest - 2);
    }
  }
  for (const one of boxes) {
    const words = document.createElement("p");
    words.className = "goes-on";
    words.textContent = "Goes on sideways: scroll it" + (one.closest("figure.timeline") ? ", or use the arrow keys." : ".");
    words.hidden = true;
    one.after(words);
    hints.set(one, words);
    one.addEventListener("scroll", () => look([one]), { passive: true });
  }
  const observer = new ResizeObserver((entries) => look(entries.map((entry) => entry.target)));
  boxes.forEach((one) => observer.observe(one));
}

sideways([...document.querySelectorAll(".wide, .scroll")]);
document.querySelectorAll("figure.timeline").forEach(timeline);
document.querySelectorAll("table.sortable").forEach(sortable);
document.querySelectorAll("input[data-table]").forEach(filter);
document.querySelectorAll(".needs-script").forEach((one) => { one.hidden = false; });
