"""Speaks A2A to the agent at URL with the `a2a-sdk`: card | send SKILL | stream SKILL | task SKILL (send, then get it).

BINDING is JSONRPC or HTTP+JSON. Prints one JSON line.
"""
import asyncio
import json
import os
import sys
import time

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers.proto_helpers import get_artifact_text, get_stream_response_text, new_text_message
from a2a.types.a2a_pb2 import GetTaskRequest, Role, SendMessageRequest
from a2a.utils.errors import A2AError

binding = os.environ.get("BINDING", "JSONRPC")


def request(skill):
    message = new_text_message("hello", role=Role.ROLE_USER)
    if skill:
        message.metadata["skill"] = skill
    return SendMessageRequest(message=message)


async def main(command, skill=""):
    out = {}
    async with httpx.AsyncClient(timeout=20) as http:
        try:
            card = await A2ACardResolver(http, os.environ["URL"]).get_agent_card()
            out["skills"] = [known.id for known in card.skills]
            streaming = command == "stream"
            config = ClientConfig(
                httpx_client=http, streaming=streaming, supported_protocol_bindings=[binding]
            )
            client = ClientFactory(config).create(card)
            if command != "card":
                began = time.monotonic()
                texts, times, task = [], [], None
                async for event in client.send_message(request(skill)):
                    if text := get_stream_response_text(event):
                        texts.append(text)
                        times.append(time.monotonic() - began)
                    if event.HasField("task"):
                        task = event.task.id
                out["texts"] = texts
                out["spread_ms"] = int((times[-1] - times[0]) * 1000) if times else 0
            if command == "task":
                found = await client.get_task(GetTaskRequest(id=task))
                out["task"] = "".join(get_artifact_text(artifact, "") for artifact in found.artifacts)
        except A2AError as error:
            out["error"] = {"type": type(error).__name__, "message": str(error)}
            # Over HTTP+JSON the SDK keeps the words of an error it does not know to the exception it came from.
            if isinstance(error.__cause__, httpx.HTTPStatusError):
                out["error"]["body"] = error.__cause__.response.json()
    print(json.dumps(out))


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 50))
