"""Images, containers, networks and volumes of one host, as a library without a daemon."""

__version__ = "0.1.0"
