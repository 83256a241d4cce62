"""Which people a model has seen, so that nobody scores it on them without knowing.

A model's config holds a key for everyone whose faces took part in training or in a choice that training made. Keys are
digests, so that no list of participants travels with the weights; whoever holds a data set can make them anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from aucli.datasets.readers.registry import READERS, find_benchmark
from aucli.models.config import UNRECORDED

KEY_LENGTH: Final = 16
"""Hexadecimal digits of SHA-256: two of a million people share a key once in 37 million data sets."""


def subject_key(subject: str) -> tuple[str, str]:
    """The data set whose person this is, and the person's key.

    Args:
        subject: as in `SequenceInfo.subject`: data set and name, as ``disfa/SN001``. People of DISFA+ are DISFA's.
    """
    dataset, _, name = subject.partition("/")
    if dataset in READERS:
        dataset = find_benchmark(dataset).people_of or dataset
    return dataset, hashlib.sha256(f"{dataset}/{name}".encode()).hexdigest()[:KEY_LENGTH]


def keys_by_dataset(subjects: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Keys of people, by data set, each once and in order."""
    found: dict[str, set[str]] = {}
    for subject in subjects:
        dataset, key = subject_key(subject)
        found.setdefault(dataset, set()).add(key)
    return {dataset: tuple(sorted(keys)) for dataset, keys in sorted(found.items())}


def joined(*parts: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """The keys of several trainings together."""
    datasets = sorted({dataset for part in parts for dataset in part})
    return {dataset: tuple(sorted({key for part in parts for key in part.get(dataset, ())})) for dataset in datasets}


def seen_among(subjects: Iterable[str], seen: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Those of these people whom a model has seen, in order.

    Args:
        subjects: as for `subject_key`.
        seen: of its config, `ModelConfig.seen_subjects`.
    """
    known = {(dataset, key) for dataset, keys in seen.items() for key in keys}
    return tuple(sorted(subject for subject in set(subjects) if subject_key(subject) in known))


def told(seen: tuple[str, ...], n_subjects: int) -> str:
    """How many, and who: ``9 of the 27 people (disfa/SN001, disfa/SN003, ...)``."""
    names = ", ".join(seen[:3]) + (", ..." if len(seen) > 3 else "")
    return f"{len(seen)} of the {n_subjects} people ({names})"


def is_recorded(seen: Mapping[str, Iterable[str]]) -> bool:
    """Whether everyone whom the model has seen is among its keys."""
    return UNRECORDED not in seen
