"""A small agent that knows nothing of Creto: it calls an HTTP API, asks a model, uses tools, and says what it got."""

import asyncio
import subprocess
import sys

import openai
import requests
from mcp import Client, MCPError

wrong = 0


def report(client, what, got, expected):
    """One line a call."""
    global wrong
    wrong += got != expected
    mark = "" if got == expected else f"   <- expected {expected}"
    print(f"  {client:8} {what:48} {got}{mark}", flush=True)


def by_requests(method, url, expected):
    answer = requests.request(method, url, timeout=20)
    code = answer.json().get("code", "") if answer.status_code >= 400 else ""
    report("requests", f"{method} {url}", f"{answer.status_code} {code}".strip(), expected)


def publish(url, text, expected, **headers):
    """The client has no idea that a person is asked: it waits as it does for any slow answer."""
    answer = requests.post(url, json={"text": text}, headers=headers, timeout=60)
    report("requests", f"POST {url} ({text})", str(answer.status_code), expected)


def by_curl(url, expected):
    command = ["curl", "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}", url]
    got = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    report("curl", f"GET {url}", got, expected)


def ask_models(base):
    # All the agent has is a placeholder; the provider takes the real key only.
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="creto-placeholder-models", max_retries=0)
    question = [{"role": "user", "content": "Name a river."}]
    stream = client.chat.completions.create(model="gpt-5", messages=question, stream=True)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    report("openai", "gpt-5, streamed", said, "You said: Name a river.")
    try:
        client.chat.completions.create(model="gpt-4o", messages=question)
        report("openai", "gpt-4o", "answered", "PermissionDeniedError no_rule_allows")
    except openai.APIStatusError as error:
        report("openai", "gpt-4o", f"{type(error).__name__} {error.code}", "PermissionDeniedError no_rule_allows")
    try:
        client.chat.completions.create(model="gpt-5", messages=question, max_completion_tokens=1_000_000)
        report("openai", "gpt-5, a million tokens of answer", "answered", "RateLimitError over_quota")
    except openai.APIStatusError as error:
        got = f"{type(error).__name__} {error.code}"
        report("openai", "gpt-5, a million tokens of answer", got, "RateLimitError over_quota")


async def use_tools(url):
    async with Client(url) as client:
        tools = await client.list_tools()
        report("mcp", "tools/list", ", ".join(tool.name for tool in tools.tools), "search")
        found = await client.call_tool("search", {"query": "rivers"})
        report("mcp", "tools/call search", found.content[0].text, "2 tickets match rivers")
        try:
            await client.call_tool("delete_ticket", {"id": 7})
            report("mcp", "tools/call delete_ticket", "deleted", "MCPError 403")
        except MCPError as error:
            report("mcp", "tools/call delete_ticket", f"{type(error).__name__} {error.code}", "MCPError 403")


def main():
    base, tools = sys.argv[1:3]
    by_requests("GET", f"{base}/articles/42", "200")
    by_requests("DELETE", f"{base}/articles/42", "403 no_rule_allows")
    by_requests("GET", f"{base}/articles/drafts/7", "403 rule_denies")
    by_curl(f"{base}/articles/7", "200")
    by_curl(f"{base}/admin", "403")
    publish(f"{base}/articles/42/publish", "first edition", "200")
    # Approved was the first; a changed one asks again, and this client does not wait for that.
    publish(f"{base}/articles/42/publish", "second edition", "202", prefer="wait=1")
    ask_models(base)
    asyncio.run(use_tools(tools))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
