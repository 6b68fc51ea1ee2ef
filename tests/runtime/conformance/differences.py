"""Why runtimes differ in a conformance test, by its name; with parameters in brackets where they differ by those."""

from __future__ import annotations

EXPLAINED: dict[str, str] = {}
