"""Frozen value objects that cost almost nothing to import.

`dataclasses` and `msgspec` would do the same with 20 to 50 ms of imports, which `pydock ps` and the
shim cannot pay. A `Record` is declared like a frozen dataclass (type checkers treat it as one), is built
by keyword, compares by value, and converts to and from plain JSON data. Decoding ignores unknown keys, so
that an older engine reads what a newer one wrote; it does not validate: input from outside is checked
where it is parsed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        return lambda decorated: decorated


_types: dict[str, type[Record]] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """Base of all models. Fields are the annotations of the class and its bases; defaults as usual."""

    _fields: ClassVar[dict[str, str]] = {}  # name -> annotation
    _required: ClassVar[frozenset[str]] = frozenset()
    _converted: ClassVar[tuple[tuple[str, str, type[Record] | None], ...]] = ()  # fields that JSON has no type for

    def __init_subclass__(cls) -> None:
        fields = dict(cls._fields)
        for name, annotation in cls.__dict__.get("__annotations__", {}).items():  # noqa: RUF063 - inspect is costly
            if not name.startswith("_"):
                fields[name] = annotation
        cls._fields = fields
        cls._required = frozenset(name for name in fields if not hasattr(cls, name))
        cls._converted = tuple(_conversions(fields))
        _types[cls.__name__] = cls

    def __init__(self, **values: Any) -> None:
        if not values.keys() <= self._fields.keys():
            unknown = ", ".join(sorted(values.keys() - self._fields.keys()))
            raise TypeError(f"{type(self).__name__} has no field {unknown}")
        if not values.keys() >= self._required:
            self._demand(values)
        self.__dict__.update(values)

    @classmethod
    def _demand(cls, values: dict[str, Any]) -> None:
        for name in cls._fields:
            if name in cls._required and name not in values:
                raise TypeError(f"{cls.__name__} needs {name}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} is read-only")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self._fields)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self._fields))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__name__}({shown})"

    def replace(self, **changes: Any) -> Self:
        """A copy with these fields changed."""
        return type(self)(**{**self.__dict__, **changes})

    def to_json(self) -> dict[str, Any]:
        """Plain data with every field, nested records included."""
        return {name: _encode(getattr(self, name)) for name in self._fields}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`; missing fields take their defaults, unknown ones are ignored."""
        # a table of 500 containers decodes 6000 records: no call per field, and no copy but the record's own
        if not data.keys() <= cls._fields.keys():
            data = {name: data[name] for name in cls._fields if name in data}
        if not data.keys() >= cls._required:
            cls._demand(data)
        made = cls.__new__(cls)
        values = made.__dict__
        values.update(data)
        for name, shape, kind in cls._converted:
            value = values.get(name)
            if value is None:
                continue
            if not value and shape == "tuple":
                values[name] = ()
            elif kind is None:
                values[name] = tuple(value)
            elif shape == "tuple":
                values[name] = tuple([kind.from_json(item) for item in value])
            elif shape == "dict":
                values[name] = {key: kind.from_json(item) for key, item in value.items()}
            else:
                values[name] = kind.from_json(value)
        return made


def _conversions(fields: dict[str, str]) -> Iterator[tuple[str, str, type[Record] | None]]:
    """(field, container of it, record inside) of the fields that JSON carries as something else."""
    for name, annotation in fields.items():
        kind = _types.get(_nested_name(annotation))
        shape = next((word for word in ("tuple", "dict") if annotation.startswith(f"{word}[")), "")
        if kind is not None or shape == "tuple":
            yield name, shape, kind


def _nested_name(annotation: str) -> str:
    for word in annotation.replace("[", " ").replace("]", " ").replace(",", " ").split():
        if word in _types:
            return word
    return ""


def _encode(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, (tuple, list)):
        return [_encode(item) for item in value]
    if isinstance(value, dict):
        return {key: _encode(item) for key, item in value.items()}
    return value
