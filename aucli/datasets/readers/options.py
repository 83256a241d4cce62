"""Options of the readers: pydantic models, one per benchmark. A wrong value is one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StrictInt,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from aucli.errors import OptionsError


def _divided(value: object) -> object:
    """``1,2`` as numbers; what is no text stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return [int(part) for part in value.split(",") if part.strip()]
    except ValueError:
        raise ValueError("expected whole numbers, divided by commas where there are several") from None


Numbers = Annotated[tuple[StrictInt, ...], Field(strict=False), BeforeValidator(_divided)]
"""Whole numbers in an order that counts; a text is divided at its commas."""
NumberSet = Annotated[frozenset[StrictInt], Field(strict=False), BeforeValidator(_divided)]
"""Different whole numbers; a text is divided at its commas."""
PathsOption = Annotated[
    tuple[str, ...],
    Field(strict=False),
    BeforeValidator(lambda value: [one for one in value.split(",") if one] if isinstance(value, str) else value),
]
"""Files, divided by commas where there are several."""
PathOption = Annotated[str | None, BeforeValidator(lambda value: str(value) if isinstance(value, Path) else value)]
"""A folder or file, absolute or relative to the data set's."""


class KeyValueOptions(BaseModel):
    """Options that can be given as ``KEY=VALUE``. Values are taken as they are: a text is no number, 1 is not true.

    Raises:
        OptionsError: for an unknown name or a value that is not allowed, in one line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    LATER: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_line(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(values)
        except ValidationError as error:
            raise OptionsError(cls._first_problem(error, values)) from None

    @classmethod
    def _first_problem(cls, error: ValidationError, values: Any) -> str:
        # A name that is not known comes first: it is often the misspelling of another.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        if not first["loc"]:
            return _why(first)
        name = first["loc"][0]
        if first["type"] == "extra_forbidden":
            return f"unknown data set option {name!r}; allowed are {', '.join(cls.model_fields)}"
        value = values.get(name) if isinstance(values, Mapping) else first["input"]
        return f"{name} is {value!r}: {_why(first)}"

    @classmethod
    def from_pairs(cls, pairs: Iterable[str]) -> Self:
        """Read ``KEY=VALUE`` texts by the types of the options.

        Example:
            >>> DisfaOptions.from_pairs(["camera=right", "positive_intensity=3", "aus=1,2"])

        Raises:
            OptionsError: if a pair has no ``=``, its name is unknown, or its value is not allowed.
        """
        values: dict[str, Any] = {}
        for pair in pairs:
            name, equals, text = pair.partition("=")
            if not equals or name not in cls.model_fields:
                known = ", ".join(cls.model_fields)
                raise OptionsError(f"`option` is {pair!r}; allowed is KEY=VALUE with one of {known} as KEY")
            field: Any = cls.model_fields[name].rebuild_annotation()
            try:
                values[name] = _read(TypeAdapter(field), text)
            except ValidationError as error:
                raise OptionsError(f"`option` is {pair!r}: {_why(error.errors()[0])}") from None
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """The options as JSON values: sets sorted, so that equal options look alike.

        Options that came later (`LATER`) are left out where they have their defaults: a cache from before is as it was.
        """
        return {
            name: sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value
            for name, value in self
            if name not in self.LATER or value != type(self).model_fields[name].default
        }


def _read(field: TypeAdapter[Any], text: str) -> Any:
    try:
        return field.validate_strings(text)
    except ValidationError as error:
        # Of a choice among words and numbers, pydantic reads the words alone from a text.
        if error.errors()[0]["type"] != "literal_error" or not text.isascii() or not text.isdigit():
            raise
        return field.validate_python(int(text))


_EXPECTED: Final[Mapping[str, str]] = {
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
}
"""Our words for pydantic's."""


def _why(problem: Any) -> str:
    return _EXPECTED.get(problem["type"], str(problem["msg"]).removeprefix("Value error, "))


class DatasetOptions(KeyValueOptions):
    """What every reader can be told.

    Attributes:
        aus: action units to read, in this order; empty means the set that papers evaluate.
        labels_dir: folder of the labels, absolute or relative to the root, where it is not found by itself.
        images_dir: folder of the images, likewise.
        videos_dir: folder of the videos, likewise.
    """

    aus: Numbers = ()
    labels_dir: PathOption = None
    images_dir: PathOption = None
    videos_dir: PathOption = None

    @field_validator("aus")
    @classmethod
    def _different_numbers(cls, aus: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(aus)) != len(aus) or any(au < 1 for au in aus):
            raise ValueError("allowed are distinct action unit numbers")
        return aus

    def chosen_aus(self, default: tuple[int, ...], coded: frozenset[int]) -> tuple[int, ...]:
        """The action units to read.

        Raises:
            OptionsError: if one was asked for that the data set does not code.
        """
        strange = [au for au in self.aus if au not in coded]
        if strange:
            raise OptionsError(f"option aus asks for AU {strange[0]}; coded are {', '.join(map(str, sorted(coded)))}")
        return self.aus or default
