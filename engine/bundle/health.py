"""Which health check a container has: the image's with the request's laid over it, as Docker does it."""

from __future__ import annotations

from ..models import HealthCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..images.config import ImageConfig
    from ..models import CreateRequest

_SHELL = ("/bin/sh", "-c")


def merged(request: CreateRequest, image: ImageConfig | None) -> HealthCheck | None:
    """What `inspect` shows: None when neither has one; its test may be ("NONE",)."""
    found = _of_image(image.healthcheck or {}) if image else HealthCheck()
    asked = request.health
    if asked:
        given = {name: value for name, value in asked.__dict__.items() if value}
        found = HealthCheck(test=("NONE",)) if asked.test[:1] == ("NONE",) else found.replace(**given)
    return found if found.test else None


def command(request: CreateRequest, image: ImageConfig) -> HealthCheck | None:
    """What the shim runs: its test is ("CMD", word, …); None when there is nothing to run."""
    check = merged(request, image)
    if check is None or check.test[0] == "NONE" or len(check.test) < 2:
        return None
    if check.test[0] == "CMD-SHELL":
        return check.replace(test=("CMD", *(image.shell or _SHELL), *check.test[1:]))
    return check


def _of_image(document: dict[str, Any]) -> HealthCheck:
    def number(name: str) -> int:
        value = document.get(name)
        return value if isinstance(value, int) and value > 0 else 0

    test = document.get("Test")
    return HealthCheck(
        test=tuple(test) if isinstance(test, list) and all(isinstance(word, str) for word in test) else (),
        interval_ns=number("Interval"),
        timeout_ns=number("Timeout"),
        start_period_ns=number("StartPeriod"),
        start_interval_ns=number("StartInterval"),
        retries=number("Retries"),
    )
