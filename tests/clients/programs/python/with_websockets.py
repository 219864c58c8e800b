"""Opens a WebSocket at URL, sends BODY and prints what comes back."""
import json
import os

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

try:
    with connect(os.environ["URL"], open_timeout=20) as socket:
        socket.send(os.environ["BODY"])
        echoed = socket.recv(timeout=20)
        socket.send(b"\x00\xff" * 40000)
        assert socket.recv(timeout=20) == b"\x00\xff" * 40000
    print(json.dumps({"status": 101, "body": echoed}))
except InvalidStatus as refused:
    answer = refused.response
    print(json.dumps({"status": answer.status_code, "body": answer.body.decode()}))
