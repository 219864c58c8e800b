"""Speaks MCP to URL with the `mcp` SDK: list | call TOOL JSON | session TOOL JSON (list, call, list).

MODE is the SDK's: auto (asks for 2026-07-28 first), legacy (a session), or a version. TRANSPORT=sse is the one of
2024-11-05: answers come on a stream opened before. Prints one JSON line.
"""
import asyncio
import json
import os
import sys
import time

from mcp import Client
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPError


def spread(times):
    return int((times[-1] - times[0]) * 1000) if times else 0


async def listed(client):
    names, cursor = [], None
    while True:
        page = await client.list_tools(cursor=cursor)
        names += [tool.name for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            return names


async def called(client, tool, arguments):
    progress, times = [], []

    async def on_progress(now, total, message):
        progress.append(now)
        times.append(time.monotonic())

    try:
        result = await client.call_tool(tool, arguments, progress_callback=on_progress)
    except MCPError as error:
        kind = type(error).__name__
        return {"error": {"type": kind, "code": error.code, "message": error.message, "data": error.data}}
    texts = [part.text for part in result.content if part.type == "text"]
    text = "\n".join(texts)
    return {"text": text, "failed": bool(result.is_error), "progress": progress, "spread_ms": spread(times)}


async def main(command, tool="", arguments="{}"):
    url = os.environ["URL"]
    sse = os.environ.get("TRANSPORT") == "sse"
    server = sse_client(url) if sse else url
    try:
        mode, patience = os.environ.get("MODE", "auto"), 5 if sse else 30
        async with Client(server, mode=mode, read_timeout_seconds=patience) as client:
            out = {"protocol": client.protocol_version}
            if command in ("list", "session"):
                out["tools"] = await listed(client)
            if command in ("call", "session"):
                out["call"] = await called(client, tool, json.loads(arguments))
            if command == "session":
                out["again"] = await listed(client)
    except* MCPError as group:
        error = group.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        out = {"error": {"type": type(error).__name__, "code": error.code, "message": error.message}}
    print(json.dumps(out))


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 50))
