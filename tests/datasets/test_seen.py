"""Keys of the people whom a model has seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aucli.datasets.readers.registry import READERS
from aucli.datasets.seen import is_recorded, joined, keys_by_dataset, seen_among, subject_key, told
from aucli.models.config import UNRECORDED

people = st.sets(st.builds(lambda d, n: f"{d}/{n}", st.sampled_from([*READERS, "own"]), st.text(min_size=1)))


def test_nobody() -> None:
    assert keys_by_dataset([]) == {} == joined()
    assert seen_among([], {"bp4d": ("0",)}) == seen_among(["bp4d/F001"], {}) == ()


@given(people, people)
def test_those_are_found_who_were_there(trained: set[str], tested: set[str]) -> None:
    keys = keys_by_dataset(trained)
    assert set(seen_among(tested, keys)) == {one for one in tested if subject_key(one) in map(subject_key, trained)}
    assert tested & trained <= set(seen_among(tested, keys))


@given(people, people)
def test_two_trainings_have_seen_the_people_of_both(one: set[str], other: set[str]) -> None:
    assert joined(keys_by_dataset(one), keys_by_dataset(other)) == keys_by_dataset(one | other)


def test_people_of_disfaplus_are_those_of_disfa_and_no_others_are_alike() -> None:
    assert subject_key("disfaplus/SN001") == subject_key("disfa/SN001")
    keys = [subject_key(f"{dataset}/F001") for dataset in READERS if dataset != "disfaplus"]
    assert len({key for _, key in keys}) == len(keys)


def test_a_key_is_no_name() -> None:
    dataset, key = subject_key("disfa/SN001")
    assert dataset == "disfa"
    assert len(key) == 16
    assert set(key) <= set("0123456789abcdef")


def test_what_is_told() -> None:
    assert told(("gft/1", "gft/2", "gft/3", "gft/4"), 9) == "4 of the 9 people (gft/1, gft/2, gft/3, ...)"
    assert is_recorded({})
    assert not is_recorded({UNRECORDED: ()})
