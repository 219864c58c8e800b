"""Metering: events of what was used, recorded without waiting and counted exactly once."""

from ._client import Counters, MeteringClient, Rejection
from ._errors import Closed, FlushFailed, InvalidEvent, MeteringError, QueueFull
from ._event import Event, Value

__all__ = [
    "Closed",
    "Counters",
    "Event",
    "FlushFailed",
    "InvalidEvent",
    "MeteringClient",
    "MeteringError",
    "QueueFull",
    "Rejection",
    "Value",
]
