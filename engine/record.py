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
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_options):
        return lambda decorated: decorated


_types: dict[str, type[Record]] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """Base of all models. Fields are the annotations of the class and its bases; defaults as usual."""

    _fields: ClassVar[dict[str, tuple[str, str]]] = {}

    def __init_subclass__(cls) -> None:
        fields = dict(cls._fields)
        for name, annotation in cls.__dict__.get("__annotations__", {}).items():  # noqa: RUF063 - inspect is costly
            if not name.startswith("_"):
                fields[name] = (annotation, _nested_name(annotation))
        cls._fields = fields
        _types[cls.__name__] = cls

    def __init__(self, **values: Any) -> None:
        if not values.keys() <= self._fields.keys():
            unknown = ", ".join(sorted(values.keys() - self._fields.keys()))
            raise TypeError(f"{type(self).__name__} has no field {unknown}")
        for name in self._fields:
            if name not in values and not hasattr(type(self), name):
                raise TypeError(f"{type(self).__name__} needs {name}")
        self.__dict__.update(values)

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
        values = {}
        for name, (annotation, nested) in cls._fields.items():
            if name in data:
                values[name] = _decode(annotation, nested, data[name])
        return cls(**values)


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


def _decode(annotation: str, nested: str, value: Any) -> Any:
    if value is None:
        return None
    if annotation.startswith("tuple["):
        if nested:
            kind = _types[nested]
            return tuple(kind.from_json(item) for item in value)
        return tuple(value)
    if nested:
        kind = _types[nested]
        if annotation.startswith("dict["):
            return {key: kind.from_json(item) for key, item in value.items()}
        return kind.from_json(value)
    return value
