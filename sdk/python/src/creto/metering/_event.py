"""An event, as it is handed in."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Union

from ._errors import InvalidEvent

Value = Union[str, int, decimal.Decimal, bool]

MAX_NAME_BYTES = 128
MAX_TEXT_BYTES = 1_024
MAX_PROPERTIES = 64
MAX_EVENT_BYTES = 16 * 1024
MAX_DIGITS = 18
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Event:
    """What was used. Without `at` it happened when it is recorded; `at` is a datetime with a zone."""

    type: str
    agent: str = ""
    customer: str = ""
    subscription: str = ""
    #: Names of the agents of the delegation, joined by "/", root first.
    delegation: str = ""
    properties: Mapping[str, Value] = field(default_factory=dict)
    at: datetime | None = None

    def size(self) -> int:
        """Bytes of its texts."""
        texts = [self.type, self.agent, self.customer, self.subscription, self.delegation]
        size = sum(len(text.encode()) for text in texts)
        for name, value in self.properties.items():
            size += len(name.encode()) + (len(value.encode()) if isinstance(value, str) else 16)
        return size

    def at_us(self) -> int | None:
        """When it happened, in microseconds since 1970, if it says so."""
        if self.at is None:
            return None
        since = self.at - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds

    def check(self) -> None:
        """Refuses what no control plane would take."""
        if not self.type:
            raise InvalidEvent("type: name what happened, such as image.rendered")
        for name in ("type", "agent", "customer", "subscription", "delegation"):
            text = getattr(self, name)
            if not isinstance(text, str):
                raise InvalidEvent(f"{name}: send a text")
            most = MAX_TEXT_BYTES if name == "delegation" else MAX_NAME_BYTES
            if len(text.encode()) > most:
                raise InvalidEvent(f"{name}: it has more than {most} bytes")
        if self.at is not None and self.at.tzinfo is None:
            raise InvalidEvent("at: a time needs a zone, such as datetime.now(timezone.utc)")
        if self.at is not None and self.at < _EPOCH:
            raise InvalidEvent("at: a time before 1970 is no time of an event")
        if len(self.properties) > MAX_PROPERTIES:
            raise InvalidEvent(f"properties: there are more than {MAX_PROPERTIES}")
        for name, value in self.properties.items():
            if not isinstance(name, str) or not name or len(name.encode()) > MAX_NAME_BYTES:
                raise InvalidEvent(f"properties: a name has 1 to {MAX_NAME_BYTES} bytes")
            _check_value(name, value)
        if self.size() > MAX_EVENT_BYTES:
            raise InvalidEvent(f"the event has more than {MAX_EVENT_BYTES} bytes")


def _check_value(name: str, value: object) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, str):
        if len(value.encode()) > MAX_TEXT_BYTES:
            raise InvalidEvent(f"property {name}: a text has at most {MAX_TEXT_BYTES} bytes")
        return
    if isinstance(value, (int, decimal.Decimal)):
        split(name, value)
        return
    raise InvalidEvent(f"property {name}: send a text, int, decimal.Decimal or bool, and never a float")


def split(name: str, value: int | decimal.Decimal) -> tuple[int, int]:
    """A number as digits and scale: digits / 10**scale, without trailing zeros behind the point."""
    if isinstance(value, int):
        digits, scale = value, 0
    else:
        if not value.is_finite():
            raise InvalidEvent(f"property {name}: {value} is no number that can be counted")
        sign, figures, exponent = value.as_tuple()
        if not isinstance(exponent, int) or abs(exponent) > 64 or len(figures) > 64:
            raise InvalidEvent(f"property {name}: at most {MAX_DIGITS} digits on each side of the point")
        digits = int("".join(map(str, figures)) or "0") * (-1 if sign else 1)
        scale = -exponent
        if scale < 0:
            digits, scale = digits * 10**-scale, 0
        while scale > 0 and digits % 10 == 0:
            digits, scale = digits // 10, scale - 1
    if scale > MAX_DIGITS or abs(digits) >= 10 ** (MAX_DIGITS + scale):
        raise InvalidEvent(f"property {name}: at most {MAX_DIGITS} digits on each side of the point")
    return digits, scale
