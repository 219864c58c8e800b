"""LiteLLM as a client of an OpenAI-compatible API, configured by OPENAI_BASE_URL and OPENAI_API_KEY."""
import litellm

from reporting import CITY, PROMPT, SYSTEM, Arriving, model, plain, run

MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": PROMPT}]
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]


def chat(**more):
    answer = litellm.completion(model="openai/" + model("gpt-4o"), messages=MESSAGES, **more)
    message = answer.choices[0].message
    found = {"text": message.content, "usage": answer.usage, "model": answer.model}
    for call in message.tool_calls or []:
        found["tool"] = {"name": call.function.name, "arguments": call.function.arguments}
    return found


def stream(**more):
    text, usage = "", None
    chunks = Arriving(litellm.completion(model="openai/" + model("gpt-4o"), messages=MESSAGES, stream=True, **more))
    for chunk in chunks:
        usage = plain(chunk.usage) if getattr(chunk, "usage", None) else usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
    return {"text": text, "usage": usage, "pauses": chunks.pauses}


def embeddings():
    answer = litellm.embedding(model="openai/" + model("text-embedding-3-small"), input=[PROMPT, SYSTEM])
    return {"vectors": [item["embedding"] for item in answer.data], "usage": answer.usage}


def failed(error):
    return {"status": getattr(error, "status_code", None), "code": getattr(error, "code", None), "message": str(error)}


run({
    "chat": chat,
    "tools": lambda: chat(tools=TOOLS),
    "stream": stream,
    "stream-usage": lambda: stream(stream_options={"include_usage": True}),
    "embeddings": embeddings,
}, failed)
