"""Reading JSON from outside: each access says what it wants, and a wrong type is a 400 that names the field."""

from __future__ import annotations

from typing import Any, NoReturn

from .errors import ApiError


class Fields:
    """A JSON object; null and absent are the same. `name`: how errors call it."""

    def __init__(self, data: dict[str, Any], name: str) -> None:
        self._data = data
        self._name = name

    def value(self, key: str) -> object:
        return self._data.get(key)

    def has(self, key: str) -> bool:
        """Whether it says something: not null, empty, zero or false."""
        return bool(self._data.get(key))

    def names(self) -> list[str]:
        return list(self._data)

    def text(self, key: str) -> str:
        value = self._data.get(key)
        if value is None:
            return ""
        return value if isinstance(value, str) else self._refuse(key, "a string")

    def flag(self, key: str) -> bool:
        value = self._data.get(key)
        if value is None:
            return False
        return value if isinstance(value, bool) else self._refuse(key, "true or false")

    def number(self, key: str) -> int:
        value = self._data.get(key)
        if value is None:
            return 0
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else self._refuse(key, "a whole number")

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._data.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._refuse(key, "a list of strings")
        return tuple(value)

    def command(self, key: str) -> tuple[str, ...] | None:
        """A list of words, or one string; None when it is absent or empty."""
        value = self._data.get(key)
        if isinstance(value, str):
            return (value,)
        return self.texts(key) or None

    def pairs(self, key: str) -> dict[str, str]:
        value = self._data.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            self._refuse(key, "an object of strings")
        return dict(value)

    def fields(self, key: str) -> Fields:
        value = self._data.get(key)
        if value is None:
            return Fields({}, key)
        return Fields(value, key) if isinstance(value, dict) else self._refuse(key, "an object")

    def objects(self, key: str) -> list[Fields]:
        value = self._data.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._refuse(key, "a list of objects")
        return [Fields(item, key) for item in value]

    def _refuse(self, key: str, wanted: str) -> NoReturn:
        raise ApiError(400, f"invalid value for {self._name}.{key}: {wanted} is wanted")
