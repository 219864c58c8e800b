"""The client: a bounded queue, a thread that sends, frames kept until they are answered."""

from __future__ import annotations

import atexit
import collections
import os
import pathlib
import random
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import grpc

from creto.v1 import metering_pb2 as pb
from creto.v1 import metering_pb2_grpc as rpc

from ._errors import Closed, FlushFailed, MeteringError, QueueFull
from ._event import Event
from ._frames import Recorded, columns_of, pack

#: Most events of a frame.
MAX_FRAME_EVENTS = 8_192
#: A frame takes events until their texts have this many bytes.
MAX_FRAME_BYTES = 1024 * 1024
#: Strings of a frame, counted as if none were the same; the control plane takes 65,536 different ones.
MAX_FRAME_STRINGS = 60_000
#: Property columns of a frame; the control plane takes 256.
MAX_FRAME_COLUMNS = 240
#: Columns times events of a frame: what the control plane takes.
MAX_FRAME_CELLS = 524_288
#: Frames kept unanswered at once; then the queue fills up.
MAX_WINDOW_FRAMES = 32
#: Most events a queue may be told to hold.
MAX_QUEUE_EVENTS = 1 << 20
#: How long an answer may take before the connection counts as broken, in seconds.
ANSWER_PATIENCE = 30.0
#: How long it waits before it connects again: doubled from the one to the other, in seconds.
RETRY = (0.05, 10.0)

_FINAL = {
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.OUT_OF_RANGE,
}


@dataclass(frozen=True)
class Counters:
    """What came of the events. Once all is acknowledged, sent = accepted + duplicate + rejected."""

    recorded: int = 0
    sent: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Rejection:
    """An event that the control plane took note of and refused."""

    epoch: int
    sequence: int
    code: str
    detail: str
    event: Event


@dataclass
class _Held:
    frame: pb.IngestFrame
    events: list[Recorded]
    #: The last event's place among all of this client: sequences begin anew with an epoch, places do not.
    place: int
    sent: bool = False

    @property
    def last(self) -> int:
        return self.frame.first_sequence + self.frame.count - 1


class MeteringClient:
    """Records events of one producer. Use it as a context manager, or call `close`.

    `address` is `https://host:port` and `ca_file` the control plane's `ca.pem`. What is left when the interpreter ends
    is sent then, for `close_timeout` seconds. A forked child makes its own client.
    """

    def __init__(
        self,
        address: str = "",
        *,
        namespace: str,
        producer: str,
        ca_file: str | os.PathLike[str] | None = None,
        token: str | None = None,
        token_file: str | os.PathLike[str] | None = None,
        channel: grpc.Channel | None = None,
        queue_events: int = 16_384,
        linger: float = 0.02,
        frame_events: int = MAX_FRAME_EVENTS,
        close_timeout: float = 5.0,
        on_rejected: Callable[[Rejection], None] | None = None,
    ) -> None:
        if not 1 <= queue_events <= MAX_QUEUE_EVENTS:
            raise ValueError(f"queue_events: use 1 to {MAX_QUEUE_EVENTS}")
        if not 1 <= frame_events <= MAX_FRAME_EVENTS:
            raise ValueError(f"frame_events: use 1 to {MAX_FRAME_EVENTS}")
        if not producer or len(producer) > 128 or not all("!" <= letter <= "~" for letter in producer):
            raise ValueError("producer: use 1 to 128 visible ASCII characters")
        if not namespace:
            raise ValueError("namespace: name the namespace that the token is for")
        if token is None and token_file is not None:
            token = pathlib.Path(token_file).read_text(encoding="utf-8")
        self._own_channel = channel is None
        self._channel = channel if channel is not None else _secure(address, ca_file)
        self._stub = rpc.MeteringStub(self._channel)
        self._metadata = (("authorization", f"Bearer {token.strip()}"),) if token else ()
        self._namespace, self._producer = namespace, producer
        self._queue_events, self._linger, self._frame_events = queue_events, linger, frame_events
        self._close_timeout, self._on_rejected = close_timeout, on_rejected
        # Never zero: on the wire, zero is "as before".
        self._epoch = secrets.randbits(64) or 1
        self._pid = os.getpid()

        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._queue: collections.deque[Recorded] = collections.deque()
        self._oldest = 0.0
        self._held: collections.deque[_Held] = collections.deque()
        self._next_sequence = 1
        #: Events packed and events acknowledged, over all epochs.
        self._packed = 0
        self._acknowledged = 0
        self._stream = 0
        self._heard = 0.0
        self._counters = Counters()
        self._clock = (0, 0)
        self._flushing = 0
        self._closing = False
        self._ended = False
        self._refused: str | None = None
        self._last_heard = "the control plane was not reached"
        self._call: grpc.Call | None = None

        self._thread = threading.Thread(target=self._run, name="creto-metering", daemon=True)
        self._thread.start()
        this = weakref.ref(self)
        self._at_exit = lambda: _close(this)
        atexit.register(self._at_exit)

    # What callers do.

    def record(self, event: Event, *, wait: float = 0.0) -> None:
        """Takes an event; while the queue is full it waits for `wait` seconds, then raises `QueueFull`."""
        # Whatever the caller does with its mapping afterwards, this is what was recorded.
        event = replace(event, properties=dict(event.properties))
        event.check()
        if os.getpid() != self._pid:
            raise MeteringError("the process was forked: make a client in the child")
        with self._changed:
            until = time.monotonic() + wait
            while len(self._queue) >= self._queue_events and not self._closing:
                left = until - time.monotonic()
                if left <= 0:
                    self._count(dropped=1)
                    raise QueueFull("the queue of events is full: wait for room, or make it larger")
                self._changed.wait(left)
            if self._closing:
                raise Closed("this metering client is closed: make another")
            at_us, logical = self._now()
            own = event.at_us()
            if own is not None:
                at_us, logical = own, 0
            if not self._queue:
                self._oldest = time.monotonic()
            self._queue.append(Recorded(event, at_us, logical))
            self._count(recorded=1)
            if len(self._queue) in (1, self._frame_events):
                self._changed.notify_all()

    def flush(self, timeout: float | None = None) -> None:
        """Waits until all recorded so far is acknowledged: on the control plane's disk, or rejected one by one."""
        with self._changed:
            target = self._packed + len(self._queue)
            until = None if timeout is None else time.monotonic() + timeout
            self._flushing += 1
            self._refused = None
            self._changed.notify_all()
            try:
                while self._acknowledged < target:
                    if self._refused is not None:
                        raise FlushFailed(self._refused)
                    if self._ended:
                        raise Closed(f"{target - self._acknowledged} events are not acknowledged: {self._last_heard}")
                    left = None if until is None else until - time.monotonic()
                    if left is not None and left <= 0:
                        raise FlushFailed(f"{target - self._acknowledged} events are not acknowledged: {self._last_heard}")
                    self._changed.wait(left)
            finally:
                self._flushing -= 1

    def close(self, timeout: float | None = None) -> Counters:
        """Sends what is left and ends. What is not acknowledged in time is lost, counted as dropped, and raised."""
        atexit.unregister(self._at_exit)
        if os.getpid() != self._pid:
            return self._counters
        with self._changed:
            already, self._closing = self._ended, True
            self._changed.notify_all()
        failed: MeteringError | None = None
        if not already:
            try:
                self.flush(self._close_timeout if timeout is None else timeout)
            except MeteringError as error:
                failed = error
        with self._changed:
            self._ended = True
            lost = len(self._queue) + sum(held.frame.count for held in self._held)
            self._queue.clear()
            self._held.clear()
            if lost:
                self._count(dropped=lost)
            if self._call is not None and lost:
                self._call.cancel()
            self._changed.notify_all()
        self._thread.join(2.0)
        if self._own_channel:
            self._channel.close()
        if failed is not None:
            raise FlushFailed(str(failed)) from failed
        return self._counters

    @property
    def counters(self) -> Counters:
        """What came of the events so far."""
        with self._lock:
            return self._counters

    def __enter__(self) -> MeteringClient:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()

    # What the thread does.

    def _run(self) -> None:
        attempts = 0
        while True:
            with self._changed:
                # A stream is opened when there is a frame for it: the control plane does not wait long for the first.
                while not (self._held or self._due() or self._ended):
                    self._changed.wait(self._patience() if self._queue else None)
                if self._ended:
                    return
                self._stream += 1
                stream, before = self._stream, self._acknowledged
                self._heard = time.monotonic()
            try:
                call = self._stub.IngestFrames(self._frames(stream), metadata=self._metadata)
                with self._lock:
                    self._call = call
                for mark in call:
                    self._answered(mark)
                said, code = "the control plane ended the stream", None
            except grpc.RpcError as error:
                code = error.code() if isinstance(error, grpc.Call) else None
                if code is grpc.StatusCode.FAILED_PRECONDITION and self._number_anew(error):
                    continue
                said = error.details() or "" if isinstance(error, grpc.Call) else str(error)
            except ValueError as error:  # The channel was closed under it.
                code, said = None, str(error)
            with self._changed:
                # The frames of this stream end with it.
                self._stream += 1
                self._call = None
                self._last_heard = f"{code.name}: {said}" if code is not None else said
                attempts = 0 if self._acknowledged > before else attempts + 1
                wait = min(RETRY[0] * 2 ** min(attempts, 12), RETRY[1]) * random.uniform(0.5, 1.0)
                if code in _FINAL:
                    self._refused = self._last_heard
                    wait = RETRY[1]
                self._changed.notify_all()
                until = time.monotonic() + wait
                while not self._ended and (left := until - time.monotonic()) > 0:
                    if code in _FINAL and self._flushing and self._refused is None:
                        break
                    self._changed.wait(left)

    def _frames(self, stream: int) -> Iterator[pb.IngestFrame]:
        """The frames of a stream: what is unanswered first, then new ones, until the stream ends."""
        sent = 0
        while True:
            with self._changed:
                while True:
                    if self._stream != stream or self._ended:
                        return
                    held = next((held for held in self._held if held.place > sent), None)
                    if held is None and len(self._held) < MAX_WINDOW_FRAMES and self._due():
                        held = self._pack()
                    if held is not None:
                        break
                    if self._closing and not self._queue and not self._held:
                        return
                    self._changed.wait(self._patience())
                    if self._held and time.monotonic() - self._heard > ANSWER_PATIENCE and self._call is not None:
                        self._call.cancel()
                        return
                sent = held.place
                if not held.sent:
                    held.sent = True
                    self._count(sent=held.frame.count)
                frame = held.frame
            yield frame

    def _due(self) -> bool:
        if not self._queue:
            return False
        full = len(self._queue) >= self._frame_events
        return full or self._flushing > 0 or self._closing or time.monotonic() >= self._oldest + self._linger

    def _patience(self) -> float:
        if self._queue and len(self._held) < MAX_WINDOW_FRAMES:
            return max(0.0, self._oldest + self._linger - time.monotonic()) + 0.001
        return ANSWER_PATIENCE / 4

    def _pack(self) -> _Held:
        events: list[Recorded] = []
        size, strings = 0, 0
        columns: set[tuple[str, str]] = set()
        while self._queue and len(events) < self._frame_events:
            event = self._queue[0].event
            size += event.size()
            strings += 5 + 2 * len(event.properties)
            columns.update(columns_of(event))
            cells = (len(events) + 1) * len(columns)
            full = (
                size > MAX_FRAME_BYTES
                or strings > MAX_FRAME_STRINGS
                or len(columns) > MAX_FRAME_COLUMNS
                or cells > MAX_FRAME_CELLS
            )
            if full and events:
                break
            events.append(self._queue.popleft())
        self._oldest = time.monotonic()
        self._packed += len(events)
        frame = pack(self._namespace, self._producer, self._epoch, self._next_sequence, events)
        held = _Held(frame, events, self._packed)
        if not self._held:
            self._heard = time.monotonic()
        self._next_sequence += len(events)
        self._held.append(held)
        self._changed.notify_all()
        return held

    @staticmethod
    def _covers(mark: pb.IngestMark, held: _Held) -> bool:
        return held.frame.epoch == mark.epoch and held.last <= mark.sequence

    def _number_anew(self, error: grpc.Call) -> bool:
        """Numbers what is not acknowledged anew in an epoch of its own, if the control plane says that it lacks frames
        before it. Nothing counts twice: what it lacks came before all of it, so it has none of it; or it forgot the
        epoch, and then what it may have had is too old to be taken in again."""
        told = {entry.key: entry.value for entry in error.trailing_metadata() or ()}
        try:
            epoch, mark = int(told["creto-gap-epoch"]), int(told["creto-gap-mark"])
        except (KeyError, ValueError):
            return False
        with self._changed:
            if not self._held or epoch != self._epoch:
                return False
            before = self._held[0].frame.first_sequence - 1
            if before <= mark:
                return False
            self._stream += 1
            self._call = None
            self._epoch = secrets.randbits(64) or 1
            for held in self._held:
                # The frame on its way may still be read by the stream that ended.
                frame = pb.IngestFrame()
                frame.CopyFrom(held.frame)
                frame.epoch, frame.first_sequence = self._epoch, held.frame.first_sequence - before
                held.frame = frame
            self._next_sequence -= before
            self._changed.notify_all()
        return True

    def _answered(self, mark: pb.IngestMark) -> None:
        rejections: list[Rejection] = []
        with self._changed:
            self._refused = None
            self._heard = time.monotonic()
            events = 0
            while self._held and self._held[0].sent and self._covers(mark, self._held[0]):
                held = self._held.popleft()
                events += held.frame.count
                self._acknowledged = held.place
                for one in mark.rejected:
                    at = one.sequence - held.frame.first_sequence
                    if 0 <= at < held.frame.count:
                        event = held.events[at].event
                        rejections.append(Rejection(mark.epoch, one.sequence, one.code, one.detail, event))
            # The answers to frames that an earlier answer covered already count nothing more.
            accepted = min(mark.accepted, events)
            rejected = min(len(mark.rejected), events - accepted)
            self._count(accepted=accepted, rejected=rejected, duplicate=events - accepted - rejected)
            self._changed.notify_all()
        if self._on_rejected is not None:
            for rejection in rejections:
                self._on_rejected(rejection)

    def _now(self) -> tuple[int, int]:
        """A hybrid logical clock: every reading is above every earlier one."""
        wall = time.time_ns() // 1_000
        at_us, logical = self._clock
        self._clock = (wall, 0) if wall > at_us else (at_us, logical + 1)
        return self._clock

    def _count(self, **more: int) -> None:
        counters = self._counters
        self._counters = replace(counters, **{name: getattr(counters, name) + by for name, by in more.items()})


def _close(this: weakref.ref[MeteringClient]) -> None:
    client = this()
    if client is not None:
        try:
            client.close()
        except MeteringError:
            pass  # There is nobody left to be told; counters and `creto meter verify` show it.


def _secure(address: str, ca_file: str | os.PathLike[str] | None) -> grpc.Channel:
    if not address.startswith("https://"):
        raise ValueError("address: use https://host:port")
    if ca_file is None:
        raise ValueError("ca_file: name the control plane's ca.pem")
    credentials = grpc.ssl_channel_credentials(pathlib.Path(ca_file).read_bytes())
    options = [("grpc.keepalive_time_ms", 30_000), ("grpc.keepalive_timeout_ms", 20_000), ("grpc.max_reconnect_backoff_ms", 5_000)]
    return grpc.secure_channel(address.removeprefix("https://").rstrip("/"), credentials, options)
