"""Files as disks, transfers, editors and strangers leave them: bytes and values changed by hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from aucli.errors import AucliError

HOSTILE = (
    *(b"", b"-1", b"nan", b"1e999", b"9" * 400, b"\0", b"\xff\xfe", b"\n", b"\r", b'"', b"'", b"<", b"&", b"]", b"}"),
    *(
        b"\xed\xa0\x80",
        b"\x1b[2J",
        b"../../../../etc/passwd",
        b"99999999999999999999",
        b"AU12",
        b"%s%n",
        b"null",
        b"\t",
    ),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        2**70,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "\0",
        "\ud800",
        [],
        [[]],
        [None],
        {},
        {"a": 1},
    ),
)


class Change(NamedTuple):
    """One change: how, where (a share of the file), how many bytes of it go, and what comes."""

    how: str
    at: float
    length: int
    new: bytes


CHANGES = st.lists(
    st.builds(
        Change,
        st.sampled_from(["replace", "insert", "cut", "repeat", "mark"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 40),
        st.one_of(st.sampled_from(HOSTILE), st.binary(min_size=1, max_size=9)),
    ),
    min_size=1,
    max_size=3,
)
"""Changes for `damaged`."""


def damaged(data: bytes, changes: list[Change], marks: bytes = b"") -> bytes:
    """Return a file's bytes with all changes made.

    Args:
        data: of the file.
        changes: of `CHANGES`.
        marks: bytes that the format lives by, such as ``,``: changes of the kind ``mark`` hit one of them.
    """
    for how, share, length, new in changes:
        at = int(share * len(data))
        if how == "mark" and (places := [i for i, byte in enumerate(data) if byte in marks]):
            at, length = places[int(share * len(places))], 1
        after = {"insert": data[at:], "cut": b"", "repeat": data[max(0, at - length) :]}.get(how, data[at + length :])
        data = data[:at] + (b"" if how in ("cut", "repeat") else new) + after
    return data


def with_another_value(document: Any, draw: Callable[[Any], Any]) -> Any:
    """Return a JSON document with one value of it, at any depth, exchanged or taken away."""
    if isinstance(document, dict) and document and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(document)))
        if not draw(st.integers(0, 5)):
            return {name: value for name, value in document.items() if name != key}
        return document | {key: with_another_value(document[key], draw)}
    if isinstance(document, list) and document and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(document) - 1))
        return [*document[:at], with_another_value(document[at], draw), *document[at + 1 :]]
    return draw(st.sampled_from(VALUES))


def ends_in_one_line(call: Callable[[], object]) -> None:
    """Make a call: it must end well, or with one line for the user."""
    try:
        call()
    except AucliError as error:
        text = str(error)
        if not text.strip() or len(text.splitlines()) != 1 or len(text) > 2000:
            pytest.fail(f"this is not one line: {text!r}")
