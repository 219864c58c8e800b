"""Events by column, as they go over the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from creto.v1 import metering_pb2 as pb

from ._event import Event, split

_I64 = 2**63


@dataclass(frozen=True)
class Recorded:
    """An event with its time."""

    event: Event
    at_us: int
    logical: int


class _Dictionary:
    def __init__(self) -> None:
        self.places: dict[str, int] = {"": 0}
        self.strings: list[str] = []

    def place(self, text: str) -> int:
        place = self.places.get(text)
        if place is None:
            self.strings.append(text)
            place = self.places[text] = len(self.strings)
        return place


def columns_of(event: Event) -> list[tuple[str, str]]:
    """The columns that an event's properties can need: numbers may need one more for those that are long."""
    columns: list[tuple[str, str]] = []
    for name, value in event.properties.items():
        if isinstance(value, bool):
            columns.append((name, "flags"))
        elif isinstance(value, str):
            columns.append((name, "texts"))
        else:
            columns += [(name, "numbers"), (name, "decimals")]
    return columns


def pack(namespace: str, producer: str, epoch: int, first_sequence: int, events: Sequence[Recorded]) -> pb.IngestFrame:
    """Packs events into a frame."""
    words = _Dictionary()
    frame = pb.IngestFrame(
        namespace=namespace, producer=producer, epoch=epoch, first_sequence=first_sequence, count=len(events)
    )
    columns: dict[tuple[str, str], list[tuple[int, object]]] = {}
    who: dict[str, list[int]] = {
        name: [] for name in ("event_type", "agent", "customer", "subscription", "delegation", "logical")
    }
    before = 0
    for at, recorded in enumerate(events):
        event = recorded.event
        who["event_type"].append(words.place(event.type))
        for name in ("agent", "customer", "subscription", "delegation"):
            who[name].append(words.place(getattr(event, name)))
        who["logical"].append(recorded.logical)
        frame.at_us.append(recorded.at_us - before)
        before = recorded.at_us
        for name, value in event.properties.items():
            if isinstance(value, bool):
                columns.setdefault((name, "flags"), []).append((at, value))
            elif isinstance(value, str):
                columns.setdefault((name, "texts"), []).append((at, words.place(value)))
            else:
                columns.setdefault((name, "numbers"), []).append((at, split(name, value)))
    for name, entries in who.items():
        if any(entries):
            getattr(frame, name).extend(entries)
    for (name, kind), cells in columns.items():
        if kind != "numbers":
            _column(frame, words.place(name), kind, cells)
            continue
        scale = max(scale for _, (_, scale) in cells)  # type: ignore[misc]
        fit: list[tuple[int, object]] = []
        wide: list[tuple[int, object]] = []
        for at, (digits, own) in cells:  # type: ignore[misc]
            scaled = digits * 10 ** (scale - own)
            if -_I64 <= scaled < _I64:
                fit.append((at, scaled))
            else:
                wide.append((at, words.place(_text(digits, own))))
        if fit:
            _column(frame, words.place(name), "numbers", fit).scale = scale
        if wide:
            _column(frame, words.place(name), "decimals", wide)
    frame.strings.extend(words.strings)
    return frame


def _column(frame: pb.IngestFrame, name: int, kind: str, cells: list[tuple[int, object]]) -> pb.PropertyColumn:
    column = frame.properties.add(name=name)
    if len(cells) != frame.count:
        before = 0
        for at, _ in cells:
            column.events.append(at - before)
            before = at
    getattr(column, kind).extend(value for _, value in cells)
    return column


def _text(digits: int, scale: int) -> str:
    whole, fraction = divmod(abs(digits), 10**scale)
    sign = "-" if digits < 0 else ""
    return f"{sign}{whole}.{fraction:0{scale}d}" if scale else f"{sign}{whole}"
