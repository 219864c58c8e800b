"""What can go wrong."""

from __future__ import annotations


class MeteringError(Exception):
    """Of this package."""


class InvalidEvent(MeteringError, ValueError):
    """No control plane would take the event."""


class QueueFull(MeteringError):
    """The control plane is away or slower than the recording; the event is not taken, and counted as dropped."""


class Closed(MeteringError):
    """The client was closed."""


class FlushFailed(MeteringError):
    """Not everything is acknowledged."""
