"""`filters`: a JSON object of lists, or of objects whose keys count when true; both shapes are in use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..cli.filters import Filters
    from .call import Call


def read_filters(call: Call, known: Sequence[str]) -> Filters:
    """key -> values. Raises `ApiError` 400 for another shape or an unknown key."""
    text = call.text("filters")
    if not text:
        return {}
    try:
        data = json.loads(text)
        if isinstance(data, str):  # encoded twice
            data = json.loads(data)
    except ValueError as error:
        raise ApiError(400, f"invalid filters: {error}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ApiError(400, "invalid filters: an object is wanted")
    filters: Filters = {}
    for key, values in data.items():
        if key not in known:
            raise ApiError(400, f"invalid filter '{key}'")
        if isinstance(values, dict):
            values = [value for value, wanted in values.items() if wanted]
        if isinstance(values, str):
            values = [values]
        if not isinstance(values, list) or not all(isinstance(value, (str, bool, int)) for value in values):
            raise ApiError(400, f"invalid filters: values of {key!r} have to be strings")
        if values:
            filters[key] = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return filters


def truth(key: str, values: Sequence[str]) -> bool | None:
    """What a filter of true or false asks for; None when both."""
    wanted = set()
    for value in values:
        if value.lower() not in ("1", "0", "true", "false", "t", "f"):
            raise ApiError(400, f"invalid filter '{key}=[{value}]'")
        wanted.add(value.lower() in ("1", "true", "t"))
    return wanted.pop() if len(wanted) == 1 else None
