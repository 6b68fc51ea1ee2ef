"""What the unpacker refuses."""

from __future__ import annotations


class BadLayer(Exception):
    """The archive is broken, or asks for something that a layer may not do; the text names the entry."""


class Stopped(Exception):
    """Whoever wanted the layer is gone, or wants it no more."""
