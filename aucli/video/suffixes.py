"""How video files are called.

Fixed, and not asked of the FFmpeg at hand: a folder must give the same videos on every machine. A test compares it with
the formats that FFmpeg names. A file called otherwise is annotated when it is named itself.
"""

from __future__ import annotations

from typing import Final

VIDEO_SUFFIXES: Final = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mp4v",
        ".mov",
        ".qt",
        ".3gp",
        ".3gp2",
        ".3gpp",
        ".3g2",
        ".f4v",
        ".ism",
        ".isma",
        ".ismv",
        ".mj2",
        ".psp",
        ".insv",
    }
    | {".avi", ".divx", ".mkv", ".mk3d", ".webm", ".ogv", ".ogm", ".flv", ".nut", ".nuv"}
    | {".asf", ".wm", ".wmv", ".wtv", ".dvr-ms", ".xmv", ".amv", ".rm", ".rmvb", ".ivr", ".viv", ".swf"}
    | {".mpg", ".mpeg", ".mpe", ".mpv", ".m1v", ".m2v", ".mp2v", ".m2p", ".vob", ".vro", ".mod", ".tod"}
    | {".ts", ".m2t", ".m2ts", ".mts", ".trp", ".ty", ".mxf", ".gxf", ".imx", ".dv", ".dif", ".r3d", ".cine"}
    | {
        ".264",
        ".265",
        ".266",
        ".avc",
        ".hevc",
        ".vvc",
        ".evc",
        ".h26l",
        ".h261",
        ".h263",
        ".h264",
        ".h265",
        ".h266",
        ".vc1",
    }
    | {".avs", ".avs2", ".avs3", ".ivf", ".obu", ".mjpeg", ".mjpg", ".mxg", ".y4m"}
    | {".apv", ".cavs", ".dnxhd", ".dnxhr", ".drc", ".vc2", ".rcv", ".roq", ".cpk", ".flm", ".pdv"}
    | {".dvd", ".movie", ".gif", ".apng"}
    | {".dav", ".ifv", ".kux", ".lvf", ".nsv", ".usm"}
)
"""What is taken from a folder, in lower case."""
