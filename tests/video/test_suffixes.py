"""The suffixes of videos against what FFmpeg says of its formats."""

from __future__ import annotations

import io
import mimetypes

import av
from av.format import ContainerFormat

from aucli.video.suffixes import VIDEO_SUFFIXES

NOT_TAKEN = (
    # stills and their sequences
    {".avif", ".bmp", ".dpx", ".exr", ".fits", ".hdr", ".ico", ".im1", ".im24", ".im8", ".j2c", ".j2k", ".jls", ".jp2"}
    | {".jpeg", ".jpg", ".jxl", ".jxs", ".ljpg", ".pam", ".pbm", ".pcx", ".pfm", ".pgm", ".pgmyuv", ".phm", ".pix"}
    | {".png", ".ppm", ".qoi", ".ras", ".rs", ".sgi", ".sun", ".sunras", ".tga", ".tif", ".tiff", ".vbn", ".wbmp"}
    | {".webp", ".xbm", ".xface", ".xwd"}
    # sound, which may carry a cover
    | {".afc", ".aif", ".aifc", ".aiff", ".flac", ".m4a", ".m4b", ".mp3", ".mpa", ".ogg", ".ra", ".wma"}
    # playlists
    | {".m3u8", ".mpd"}
    # bare pixels that do not say their size; pictures of the Commodore 64
    | {".rgb", ".y", ".yuv", ".a64", ". A64"}
)


def _known_to_ffmpeg() -> set[str]:
    """Suffixes of formats that FFmpeg writes video to, and what Python knows as video."""
    known = {suffix for suffix, kind in mimetypes.MimeTypes().types_map[True].items() if kind.startswith("video/")}
    for name in sorted(av.formats_available):
        try:
            form = ContainerFormat(name, "w")
            with av.open(io.BytesIO(), "w", format=name) as container:
                has_video = container.default_video_codec != "none"
        except (ValueError, OSError, av.error.FFmpegError):
            continue
        if has_video:
            known |= {f".{extension}" for extension in form.extensions}
    return known


def test_every_suffix_of_video_that_ffmpeg_knows_is_taken_from_a_folder() -> None:
    assert _known_to_ffmpeg() - VIDEO_SUFFIXES - NOT_TAKEN == set()
    assert not VIDEO_SUFFIXES & NOT_TAKEN
