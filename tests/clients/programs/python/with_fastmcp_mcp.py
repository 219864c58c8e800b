"""Speaks MCP to URL with the `fastmcp` client: list | call TOOL JSON | session TOOL JSON (list, call, list).

MODE is as in with_mcp.py. Prints one JSON line.
"""
import asyncio
import json
import os
import sys
import time

from fastmcp import Client
from mcp.shared.exceptions import MCPError


def spread(times):
    return int((times[-1] - times[0]) * 1000) if times else 0


async def listed(client):
    return [tool.name for tool in await client.list_tools()]


async def called(client, tool, arguments):
    progress, times = [], []

    async def on_progress(now, total, message):
        progress.append(now)
        times.append(time.monotonic())

    try:
        result = await client.call_tool(tool, arguments, progress_handler=on_progress)
    except MCPError as error:
        kind = type(error).__name__
        return {"error": {"type": kind, "code": error.code, "message": error.message, "data": error.data}}
    texts = [part.text for part in result.content if part.type == "text"]
    text = "\n".join(texts)
    return {"text": text, "failed": bool(result.is_error), "progress": progress, "spread_ms": spread(times)}


async def main(command, tool="", arguments="{}"):
    async with Client(os.environ["URL"], mode=os.environ.get("MODE", "auto")) as client:
        out = {}
        if command in ("list", "session"):
            out["tools"] = await listed(client)
        if command in ("call", "session"):
            out["call"] = await called(client, tool, json.loads(arguments))
        if command == "session":
            out["again"] = await listed(client)
    print(json.dumps(out))


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 50))
