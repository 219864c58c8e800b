"""The Anthropic SDK, configured by ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY."""
from anthropic import Anthropic

from reporting import CITY, PROMPT, SYSTEM, Arriving, model, run

client = Anthropic()
MESSAGES = [{"role": "user", "content": PROMPT}]
TOOLS = [{"name": "get_weather", "description": "Weather of a city", "input_schema": CITY}]
MARK = {"type": "ephemeral"}


def asked(**more):
    return {"model": model("claude-sonnet-4-5"), "max_tokens": 200, "system": SYSTEM, "messages": MESSAGES, **more}


def cached():
    parts = [{"type": "text", "text": PROMPT, "cache_control": MARK},
             {"type": "text", "text": "for an hour", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    return asked(system=[{"type": "text", "text": SYSTEM, "cache_control": MARK}],
                 messages=[{"role": "user", "content": parts}])


def described(message):
    found = {"text": "".join(part.text for part in message.content if part.type == "text"), "usage": message.usage,
             "model": message.model, "finish": message.stop_reason, "request": getattr(message, "_request_id", None)}
    for part in message.content:
        if part.type == "tool_use":
            found["tool"] = {"name": part.name, "arguments": part.input}
    return found


def message(asked):
    return described(client.messages.create(**asked))


def stream(asked):
    with client.messages.stream(**asked) as events:
        arriving = Arriving(events.text_stream)
        text = "".join(arriving)
        found = described(events.get_final_message())
    return {**found, "streamed": text, "pauses": arriving.pauses}


def failed(error):
    body = getattr(error, "body", None)
    inner = body.get("error", {}) if isinstance(body, dict) else {}
    return {"status": getattr(error, "status_code", None), "code": inner.get("type"), "message": str(error),
            "headers": dict(error.response.headers) if hasattr(error, "response") else None, "body": body}


search = {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}
run({
    "chat": lambda: message(asked()),
    "tools": lambda: message(asked(tools=TOOLS)),
    "cached": lambda: message(cached()),
    "search": lambda: message(asked(**search)),
    "stream": lambda: stream(asked()),
    "stream-tools": lambda: stream(asked(tools=TOOLS)),
    "stream-cached": lambda: stream(cached()),
    "stream-search": lambda: stream(asked(**search)),
    "count": lambda: {"usage": client.messages.count_tokens(model=model("claude-sonnet-4-5"), system=SYSTEM,
                                                            messages=MESSAGES)},
}, failed)
