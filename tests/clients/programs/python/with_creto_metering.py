"""Records events with the Python SDK against the control plane that the environment names, and says its counters."""

import dataclasses
import decimal
import json
import os
from datetime import datetime, timezone

from creto.metering import Event, MeteringClient

count = int(os.environ["EVENTS"])
rejections = []
client = MeteringClient(
    os.environ["ADDRESS"],
    ca_file=os.environ["CA_FILE"],
    token=os.environ["TOKEN"],
    namespace="default",
    producer="python-sdk",
    on_rejected=rejections.append,
)
for nth in range(count):
    size = decimal.Decimal(nth).scaleb(-3)
    properties = {"size": size, "format": "png" if nth % 2 else "jpeg", "draft": nth % 3 == 0}
    client.record(Event("image.rendered", agent="painter", customer="acme", properties=properties), wait=60)
client.record(Event("image.rendered", properties={"size": 1}, at=datetime(2020, 1, 1, tzinfo=timezone.utc)))
if os.environ.get("END") == "exit":
    # What is left is sent when the interpreter ends.
    print(json.dumps({"left": "to the end of the interpreter"}))
else:
    client.flush(timeout=60)
    counters = dataclasses.asdict(client.close())
    print(json.dumps({"counters": counters, "rejected": [one.code for one in rejections]}))
