"""The sound of a film, taken into another file: packet by packet as it is, or encoded again as AAC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aucli.video.container import open_container, reason_of

if TYPE_CHECKING:
    import av.container

COPIED: Final = {
    "mp4": frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"}),
    "mov": frozenset({"aac", "ac3", "alac", "eac3", "mp3", "pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le"}),
    "matroska": frozenset({"aac", "ac3", "alac", "dca", "eac3", "flac", "mp2", "mp3", "opus", "truehd", "vorbis"})
    | {"pcm_f32le", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_u8"},
}
"""By FFmpeg's name of the container, the sound that its players play. FFmpeg would also put others there, such as PCM
into MP4, which hardly anything plays."""

AAC_RATES: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
AAC_BITS_PER_CHANNEL: Final = 96_000
LEAD_IN_S: Final = 0.3
"""Hidden packets this shortly before the film's beginning are kept: a decoder of AAC needs them to begin cleanly. Sound
that an edit list cuts away is not."""


class SoundTracks:
    """The sound of one film on its way into another.

    Args:
        source: the film.
        target: the file to write to, before its header is written.
        start_s: time in the source that is 0 in the target.

    Attributes:
        notes: how each stream is taken over, one sentence each; final when all was written.
    """

    def __init__(self, source: Path, target: av.container.OutputContainer, start_s: float) -> None:
        import av

        self._target, self._start_s = target, start_s
        self._container = open_container(source)
        self.notes: list[str] = []
        self._streams: dict[int, Any] = {}
        self._note_of: dict[int, int] = {}
        self._encoded: set[int] = set()
        allowed = COPIED[target.format.name]
        for stream in self._container.streams.audio:
            codec = stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown"
            self._note_of[stream.index] = len(self.notes)
            number = f"sound {len(self._streams)} " if len(self._container.streams.audio) > 1 else "sound "
            if codec in allowed:
                self._streams[stream.index] = target.add_stream_from_template(stream)
                self.notes.append(f"{number}({codec}) is copied")
            elif stream.codec_context is None or "aac" not in av.codecs_available:
                self.notes.append(f"{number}({codec}) cannot be decoded and is left out")
            else:
                self._streams[stream.index] = self._add_encoder(stream)
                self._encoded.add(stream.index)
                self.notes.append(f"{number}({codec}) is encoded again as AAC: {target.format.name} takes no {codec}")
        self._packets = self._read() if self._streams else iter(())
        self._waiting = next(self._packets, None) if self._streams else None

    def _add_encoder(self, stream: Any) -> Any:
        context = stream.codec_context
        rate = min(AAC_RATES, key=lambda one: (abs(one - context.sample_rate), one))
        n_channels = min(context.layout.nb_channels, 2) or 1
        encoder: Any = self._target.add_stream("aac", rate=rate, layout="mono" if n_channels == 1 else "stereo")
        encoder.bit_rate = AAC_BITS_PER_CHANNEL * n_channels
        return encoder

    def write_until(self, time_s: float) -> None:
        """Write what is to be heard before a time of the target. The target's header is written by then."""
        while self._waiting is not None and self._waiting[0] < time_s:
            self._target.mux(self._waiting[1])
            self._waiting = next(self._packets, None)

    def close(self) -> None:
        """Let go of the source."""
        self._container.close()

    def _read(self) -> Iterator[tuple[float, Any]]:
        """Packets for the target with the time at which each is due, in the order of the source."""
        import av

        last: dict[int, int] = {}
        n_left_out = 0
        n_hidden: Counter[int] = Counter()
        try:
            for packet in self._container.demux([self._container.streams[index] for index in self._streams]):
                index = packet.stream.index  # `stream_index` is 0 in the mark for the end
                if index in self._encoded:
                    yield from self._encode(packet)
                    continue
                stamp = packet.pts if packet.dts is None else packet.dts
                if packet.size == 0 or stamp is None:
                    n_left_out += packet.size > 0
                    continue
                assert packet.time_base is not None
                time_s = float(stamp * packet.time_base) - self._start_s
                if packet.is_discard and not -LEAD_IN_S <= time_s < 0:
                    n_hidden[index] += 1
                    continue
                if stamp <= last.get(index, stamp - 1):
                    n_left_out += 1
                    continue
                last[index] = stamp
                shift = round(self._start_s / packet.time_base)
                packet.dts = stamp - shift
                packet.pts = (stamp if packet.pts is None else packet.pts) - shift
                packet.stream = self._streams[index]
                yield time_s, packet
        except av.error.FFmpegError as error:
            self.notes.append(f"the sound ends early ({reason_of(error)})")
        for index, n in n_hidden.items():
            packets = f"{n:,} packet{'' if n == 1 else 's'}"
            self.notes[self._note_of[index]] += f", but for {packets} that the film's edit list hides"
        if n_left_out:
            self.notes.append(f"{n_left_out} packets of sound have no time, or one that runs back, and are left out")

    def _encode(self, packet: Any) -> Iterator[tuple[float, Any]]:
        import av

        encoder = self._streams[packet.stream.index]
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            frames = []  # silence where the sound is damaged
        for frame in frames:
            if frame.pts is not None and frame.time_base:
                frame.pts -= round(self._start_s / frame.time_base)
                if frame.pts < 0:
                    continue
            yield from self._due(encoder.encode(frame))
        if packet.size == 0 and packet.dts is None:
            yield from self._due(encoder.encode(None))

    @staticmethod
    def _due(packets: list[Any]) -> Iterator[tuple[float, Any]]:
        for packet in packets:
            yield float((packet.dts or 0) * packet.time_base), packet
