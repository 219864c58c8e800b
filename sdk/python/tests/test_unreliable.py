"""The SDK against a server that ends streams, loses answers and is late: every event counted once."""

from __future__ import annotations

import decimal
import os
import random
import threading
import time
import unittest
from concurrent import futures
from datetime import datetime, timezone

import grpc

from creto.metering import Closed, Event, FlushFailed, InvalidEvent, MeteringClient, QueueFull
from creto.v1 import metering_pb2 as pb
from creto.v1 import metering_pb2_grpc as rpc


def read(frame: pb.IngestFrame) -> list[dict]:
    """The events of a frame."""
    text = lambda place: "" if place == 0 else frame.strings[place - 1]  # noqa: E731
    events, at_us = [], 0
    for at in range(frame.count):
        at_us += frame.at_us[at]
        event: dict = {"at": (at_us, frame.logical[at] if frame.logical else 0)}
        for name in ("event_type", "agent", "customer", "subscription", "delegation"):
            column = getattr(frame, name)
            event[name] = text(column[at]) if column else ""
        events.append(event)
    for column in frame.properties:
        if column.events:
            places, before = [], 0
            for gap in column.events:
                before += gap
                places.append(before)
        else:
            places = list(range(frame.count))
        values = [
            *[text(place) for place in column.texts],
            *[decimal.Decimal(number).scaleb(-column.scale) for number in column.numbers],
            *[decimal.Decimal(text(place)) for place in column.decimals],
            *column.flags,
        ]
        assert len(values) == len(places), (column, frame.count)
        for at, value in zip(places, values):
            assert text(column.name) not in events[at]
            events[at][text(column.name)] = value
    return events


class Gap(Exception):
    def __init__(self, epoch: int, mark: int) -> None:
        super().__init__(epoch, mark)
        self.epoch, self.mark = epoch, mark


class Ledger(rpc.MeteringServicer):
    """Counts once by mark, as the control plane does."""

    def __init__(self, seed: int = 5, ends: float = 0.0, loses: float = 0.0, late: float = 0.0) -> None:
        self.dice = random.Random(seed)
        self.ends, self.loses, self.late = ends, loses, late
        self.refuse: grpc.StatusCode | None = None
        self.reject_multiples = 0
        self.tells_gaps = self.one_frame_a_stream = False
        self.marks: dict[tuple[str, int], int] = {}
        self.events: list[dict] = []
        self.streams = self.repeated = self.lost = 0
        self.faults: list[str] = []
        self.lock = threading.Lock()

    def IngestFrames(self, request_iterator, context):  # noqa: N802
        if self.refuse is not None:
            context.abort(self.refuse, "not today")
        self.streams += 1
        for frame in request_iterator:
            with self.lock:
                if self.dice.random() < self.ends:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
                try:
                    answer = self.take(frame)
                except Gap as gap:
                    context.set_trailing_metadata((("creto-gap-epoch", str(gap.epoch)), ("creto-gap-mark", str(gap.mark))))
                    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "frames are missing")
                if self.one_frame_a_stream:
                    yield answer
                    return
                if self.dice.random() < self.loses:
                    self.lost += 1
                    context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
            time.sleep(self.dice.random() * self.late)
            yield answer

    def take(self, frame: pb.IngestFrame) -> pb.IngestMark:
        key = (frame.producer, frame.epoch)
        mark, last = self.marks.get(key, 0), frame.first_sequence + frame.count - 1
        if last <= mark:
            self.repeated += 1
            return pb.IngestMark(epoch=frame.epoch, sequence=mark, duplicate=frame.count)
        if frame.first_sequence != mark + 1:
            self.faults.append(f"mark {mark}, frame from {frame.first_sequence}")
            if self.tells_gaps:
                raise Gap(frame.epoch, mark)
        self.marks[key] = last
        answer = pb.IngestMark(epoch=frame.epoch, sequence=last)
        for at, event in enumerate(read(frame)):
            if self.reject_multiples and event["nth"] % self.reject_multiples == 0:
                answer.rejected.add(sequence=frame.first_sequence + at, code="bad_value", detail="a multiple")
            else:
                answer.accepted += 1
                self.events.append(event)
        return answer


class Unreliable(unittest.TestCase):
    def serve(self, ledger: Ledger) -> str:
        server = grpc.server(futures.ThreadPoolExecutor(4))
        rpc.add_MeteringServicer_to_server(ledger, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(lambda: server.stop(None).wait())
        return f"127.0.0.1:{port}"

    def client(self, address: str, **options) -> MeteringClient:
        options = {"linger": 0.002, "frame_events": 50, **options}
        channel = grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 100)])
        self.addCleanup(channel.close)
        return MeteringClient(namespace="default", producer="python-test", channel=channel, **options)

    def test_every_event_is_counted_once_though_streams_end_and_answers_are_late_or_lost(self) -> None:
        ledger = Ledger(ends=0.03, loses=0.05, late=0.003)
        with self.client(self.serve(ledger)) as client:
            for nth in range(5_000):
                client.record(Event("image.rendered", agent="painter", properties={"nth": nth}), wait=30)
            client.flush(timeout=60)
            counters = client.counters
        self.assertEqual(ledger.faults, [])
        self.assertEqual([event["nth"] for event in ledger.events], list(range(5_000)))
        stamps = [event["at"] for event in ledger.events]
        self.assertTrue(all(one < other for one, other in zip(stamps, stamps[1:])), "time stands still or goes back")
        self.assertGreater(ledger.lost, 0)
        self.assertGreater(ledger.repeated, 0)
        self.assertEqual(counters.sent, 5_000)
        self.assertEqual(counters.accepted + counters.duplicate + counters.rejected, 5_000)
        self.assertGreater(counters.duplicate, 0)

    def test_values_arrive_as_they_were_recorded(self) -> None:
        ledger = Ledger()
        dice = random.Random(11)
        values = [
            lambda: dice.choice(["", "a", "painter", "größe"]),
            lambda: dice.randrange(-(10**17), 10**17),
            lambda: decimal.Decimal(dice.randrange(10**18)).scaleb(-dice.randrange(19)),
            lambda: dice.random() < 0.5,
        ]
        expected = []
        with self.client(self.serve(ledger)) as client:
            for nth in range(500):
                properties = {name: dice.choice(values)() for name in dice.sample("pqrs", dice.randrange(4))}
                properties["nth"] = nth
                customer = dice.choice(["", "acme"])
                client.record(Event("e", customer=customer, properties=properties))
                expected.append((customer, properties))
        self.assertEqual(len(ledger.events), 500)
        for event, (customer, properties) in zip(ledger.events, expected):
            self.assertEqual(event["customer"], customer)
            got = {name: event[name] for name in event.keys() & properties.keys()}
            self.assertEqual(got, properties)
            self.assertEqual([type(got[name]) is bool for name in got], [type(properties[name]) is bool for name in got])

    def test_rejected_events_reach_their_handler_with_the_event(self) -> None:
        ledger, rejections = Ledger(), []
        ledger.reject_multiples = 10
        with self.client(self.serve(ledger), on_rejected=rejections.append) as client:
            for nth in range(100):
                client.record(Event("e", properties={"nth": nth}))
            client.flush(timeout=30)
            self.assertEqual(client.counters.rejected, 10)
            self.assertEqual(client.counters.accepted, 90)
        self.assertEqual([one.event.properties["nth"] for one in rejections], list(range(0, 100, 10)))
        self.assertEqual({(one.code, one.detail) for one in rejections}, {("bad_value", "a multiple")})

    def test_a_frame_never_has_more_columns_than_the_control_plane_takes(self) -> None:
        ledger, widths = Ledger(), []
        take = ledger.take
        ledger.take = lambda frame: (widths.append(len(frame.properties)), take(frame))[1]  # type: ignore[method-assign]
        with self.client(self.serve(ledger), frame_events=8_192) as client:
            for nth in range(200):
                client.record(Event("e", properties={f"p{nth}-{at}": at for at in range(50)}))
        self.assertEqual(len(ledger.events), 200)
        self.assertLessEqual(max(widths), 240)

    def test_a_full_queue_refuses_at_once_and_what_is_given_up_is_counted(self) -> None:
        client = self.client("127.0.0.1:9", queue_events=100)
        taken = 0
        with self.assertRaises(QueueFull):
            while taken < 100_000:
                client.record(Event("e", properties={"nth": taken}))
                taken += 1
        self.assertLessEqual(taken, 100 + 32 * 50)
        with self.assertRaises(FlushFailed):
            client.close(timeout=0.3)
        self.assertEqual(client.counters.dropped, taken + 1)
        with self.assertRaises(Closed):
            client.record(Event("e"))

    def test_a_flush_tells_that_the_token_is_refused_and_the_events_are_kept(self) -> None:
        ledger = Ledger()
        ledger.refuse = grpc.StatusCode.UNAUTHENTICATED
        client = self.client(self.serve(ledger), token="a-token")
        client.record(Event("e", properties={"nth": 1}))
        with self.assertRaisesRegex(FlushFailed, "UNAUTHENTICATED: not today"):
            client.flush(timeout=30)
        ledger.refuse = None
        client.flush(timeout=30)
        client.close()
        self.assertEqual([event["nth"] for event in ledger.events], [1])

    def test_what_no_control_plane_takes_is_refused_where_it_is_recorded(self) -> None:
        client = self.client("127.0.0.1:9")
        self.addCleanup(client.close)
        for bad in [
            Event(""),
            Event("x" * 129),
            Event("e", properties={"p": 0.5}),  # type: ignore[dict-item]
            Event("e", properties={"p": float("nan")}),  # type: ignore[dict-item]
            Event("e", properties={"p": decimal.Decimal("NaN")}),
            Event("e", properties={"p": decimal.Decimal("1e18")}),
            Event("e", properties={"p": decimal.Decimal("1e-19")}),
            Event("e", properties={"p": 10**18}),
            Event("e", properties={"p": "x" * 1_025}),
            Event("e", properties={"": 1}),
            Event("e", properties={f"p{at}": 1 for at in range(65)}),
            Event("e", at=datetime(2026, 1, 1)),
            Event("e", at=datetime(1, 1, 1, tzinfo=timezone.utc)),
        ]:
            with self.assertRaises(InvalidEvent, msg=repr(bad)[:80]):
                client.record(bad)
        self.assertEqual(client.counters.recorded, 0)

    def test_a_time_of_its_own_is_kept_to_the_microsecond(self) -> None:
        ledger = Ledger()
        with self.client(self.serve(ledger)) as client:
            client.record(Event("e", at=datetime(2026, 2, 3, 4, 5, 6, 789_012, tzinfo=timezone.utc)))
        self.assertEqual(ledger.events[0]["at"], (1_770_091_506_789_012, 0))

    def test_a_producer_whose_epoch_was_forgotten_goes_on_in_another(self) -> None:
        ledger = Ledger()
        ledger.tells_gaps = True
        with self.client(self.serve(ledger)) as client:
            for round in range(4):
                with ledger.lock:
                    ledger.marks.clear()
                for nth in range(200):
                    client.record(Event("e", properties={"nth": round * 1_000 + nth}))
                client.flush(timeout=30)
            self.assertEqual(client.counters.accepted, 800)
        numbers = [event["nth"] for event in ledger.events]
        self.assertEqual(numbers, [round * 1_000 + nth for round in range(4) for nth in range(200)])
        self.assertGreater(len(ledger.faults), 2)

    def test_a_stream_that_the_control_plane_ends_is_opened_again_and_nobody_is_told(self) -> None:
        ledger = Ledger()
        ledger.one_frame_a_stream = True
        with self.client(self.serve(ledger)) as client:
            for nth in range(5):
                client.record(Event("e", properties={"nth": nth}))
                client.flush(timeout=30)
            self.assertEqual((client.counters.sent, client.counters.accepted), (5, 5))
        self.assertEqual(ledger.streams, 5)

    def test_a_stream_is_opened_only_when_there_is_a_frame_for_it(self) -> None:
        ledger = Ledger()
        with self.client(self.serve(ledger), linger=0.5) as client:
            client.record(Event("e", properties={"nth": 1}))
            time.sleep(0.2)
            self.assertEqual(ledger.streams, 0)
            client.flush(timeout=30)
        self.assertEqual(ledger.streams, 1)

    def test_a_forked_child_is_told_to_make_its_own_client(self) -> None:
        client = self.client("127.0.0.1:9")
        self.addCleanup(client.close)
        client._pid = os.getpid() + 1
        with self.assertRaisesRegex(Exception, "make a client in the child"):
            client.record(Event("e"))
        client._pid = os.getpid()


if __name__ == "__main__":
    unittest.main()
