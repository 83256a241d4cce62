"""What is in a file, and nothing else, makes its fingerprint."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from aucli.runtime.fingerprint import BLOCK_BYTES, N_BLOCKS, fingerprint_files

LONG = N_BLOCKS * BLOCK_BYTES + 300_000


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_an_empty_file_and_no_file(tmp_path: Path) -> None:
    empty = _write(tmp_path / "e", b"")
    assert fingerprint_files([empty]) != fingerprint_files([])
    with pytest.raises(FileNotFoundError):
        fingerprint_files([tmp_path / "missing"])


@pytest.mark.parametrize("size", [10, 3_000_000, LONG])
def test_name_and_date_do_not_count(tmp_path: Path, size: int) -> None:
    data = np.random.default_rng(0).bytes(size)
    one, other = _write(tmp_path / "one", data), _write(tmp_path / "other", data)
    os.utime(other, (1, 1))
    assert fingerprint_files([one]) == fingerprint_files([other])


@pytest.mark.parametrize("at", [0, 1_500_000, 2_999_999])
def test_every_byte_of_a_small_file_counts(tmp_path: Path, at: int) -> None:
    data = bytearray(np.random.default_rng(0).bytes(3_000_000))
    before = fingerprint_files([_write(tmp_path / "v", bytes(data))])
    data[at] ^= 1
    assert fingerprint_files([_write(tmp_path / "v", bytes(data))]) != before


@pytest.mark.parametrize("at", [0, LONG // 2, LONG - 1])
def test_head_middle_and_tail_of_a_long_file_count(tmp_path: Path, at: int) -> None:
    data = bytearray(np.random.default_rng(0).bytes(LONG))
    before = fingerprint_files([_write(tmp_path / "v", bytes(data))])
    data[max(0, at - BLOCK_BYTES) : at + 1] = bytes(len(data[max(0, at - BLOCK_BYTES) : at + 1]))
    assert fingerprint_files([_write(tmp_path / "v", bytes(data))]) != before


def test_size_counts_also_where_the_blocks_are_alike(tmp_path: Path) -> None:
    marks = {fingerprint_files([_write(tmp_path / "v", bytes(LONG + n))]) for n in range(3)}
    assert len(marks) == 3
