"""Options of the loaders: frozen dataclasses that check themselves, one per benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from aucli.errors import OptionsError

OptionsT = TypeVar("OptionsT", bound="DatasetOptions")


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """What every loader can be told.

    Attributes:
        aus: action units to read, in this order; empty means the set that papers evaluate.
        labels_dir: folder of the labels, absolute or relative to the root, where it is not found by itself.
        images_dir: folder of the images, likewise.
        videos_dir: folder of the videos, likewise.
    """

    aus: tuple[int, ...] = ()
    labels_dir: str | None = None
    images_dir: str | None = None
    videos_dir: str | None = None

    def __post_init__(self) -> None:
        if len(set(self.aus)) != len(self.aus) or any(au < 1 for au in self.aus):
            raise OptionsError(f"aus is {self.aus}; allowed are distinct action unit numbers")

    def chosen_aus(self, default: tuple[int, ...], coded: frozenset[int]) -> tuple[int, ...]:
        """The action units to read.

        Raises:
            OptionsError: if one was asked for that the data set does not code.
        """
        strange = [au for au in self.aus if au not in coded]
        if strange:
            raise OptionsError(f"aus asks for AU {strange[0]}; coded are {', '.join(map(str, sorted(coded)))}")
        return self.aus or default


def require_choice(name: str, value: object, allowed: tuple[object, ...]) -> None:
    """Refuse a value outside a fixed set.

    Raises:
        OptionsError: naming the option, the value and what is allowed.
    """
    if value not in allowed:
        raise OptionsError(f"{name} is {value!r}; allowed are {', '.join(map(repr, allowed))}")


def options_from_mapping(kind: type[OptionsT], values: Mapping[str, Any]) -> OptionsT:
    """Build options from a recipe's table, where lists stand for tuples and sets.

    Raises:
        OptionsError: if a name is unknown or a value has the wrong type.
    """
    known = {f.name: f for f in fields(kind)}
    unknown = [name for name in values if name not in known]
    if unknown:
        raise OptionsError(f"unknown data set option {unknown[0]!r}; allowed are {', '.join(known)}")
    converted: dict[str, Any] = {}
    for name, value in values.items():
        wanted = str(known[name].type)
        if isinstance(value, list):
            value = frozenset(value) if wanted.startswith("frozenset") else tuple(value)
        elif isinstance(value, Path):
            value = str(value)
        _require_type(name, value, wanted)
        converted[name] = value
    return kind(**converted)


def as_json(options: Any) -> dict[str, Any]:
    """Options of a data set as JSON values: sets sorted, so that equal options look alike."""
    return {
        name: sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value
        for name, value in asdict(options).items()
    }


def _require_type(name: str, value: object, wanted: str) -> None:
    """Check a value against the written annotation, as far as the options use annotations."""
    bool_given = isinstance(value, bool)
    kinds: dict[str, bool] = {
        "bool": bool_given,
        "int": isinstance(value, int) and not bool_given,
        "str": isinstance(value, str),
        "tuple": isinstance(value, tuple) and all(isinstance(v, int) and not isinstance(v, bool) for v in value),
        "frozenset": isinstance(value, frozenset) and all(isinstance(v, int) for v in value),
        "None": value is None,
        "Literal": isinstance(value, str | int),
    }
    named = [kind for kind in kinds if any(part.strip().startswith(kind) for part in wanted.split("|"))]
    if not any(kinds[kind] for kind in named):
        raise OptionsError(f"{name} is {value!r}; expected {wanted}")
