"""JSON without the package: what it reads and writes is what the package does."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import jsontext
from tests.support.engine import REPOSITORY

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(values)
def test_what_is_written_is_read_again(value: Any) -> None:
    assert json.loads(jsontext.dumps(value)) == value
    assert jsontext.loads(jsontext.dumps(value)) == value
    assert jsontext.dumps(value) == json.dumps(value)
    assert jsontext.pretty(value) == json.dumps(value, indent=2)
    assert jsontext.loads(json.dumps(value, ensure_ascii=False)) == value


@given(st.binary() | st.text().map(str.encode) | st.text('[]{}",:0.e-+ \\utfn\n').map(str.encode))
def test_any_bytes_are_read_or_refused_as_by_the_package(text: bytes) -> None:
    try:
        expected = json.loads(text)
    except ValueError as error:
        with pytest.raises(type(error)):
            jsontext.loads(text)
        return
    assert repr(jsontext.loads(text)) == repr(expected)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", " 1 ", "\ufeff1", '"\ud800"', "1" * 5000, "[1e999]"])
def test_odd_documents(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    try:
        expected = json.loads(raw)
    except ValueError:
        with pytest.raises(ValueError):
            jsontext.loads(raw)
        return
    got = jsontext.loads(raw)
    assert repr(got) == repr(expected)
    assert repr(jsontext.loads(jsontext.dumps(got))) == repr(expected)


def test_what_is_no_number_in_json_is_written_as_the_package_does() -> None:
    for value in (math.nan, math.inf, -math.inf):
        assert jsontext.dumps([value]) == json.dumps([value])


@pytest.mark.parametrize("text", ["{", "", "[1", "nul", '{"a" 1}', "1 2", '"\x01"'])
def test_wrong_documents_are_told_of_in_a_process_without_the_package(text: str) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from runtime import jsontext\n"
        "assert 'json' not in sys.modules\n"
        "try: jsontext.loads(sys.argv[2])\nexcept ValueError as error: print(error)"
    )
    words = [sys.executable, "-IS", "-c", code, str(REPOSITORY), text]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    with pytest.raises(ValueError) as caught:
        json.loads(text)
    assert done.stdout.strip() == str(caught.value)
