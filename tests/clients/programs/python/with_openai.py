"""The OpenAI SDK, configured by OPENAI_BASE_URL and OPENAI_API_KEY (for Azure: AZURE_OPENAI_ENDPOINT and ...API_KEY)."""
import os

from openai import AzureOpenAI, OpenAI

from reporting import CITY, PROMPT, SYSTEM, Arriving, model, plain, run

client = AzureOpenAI() if "AZURE_OPENAI_ENDPOINT" in os.environ else OpenAI()
MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": PROMPT}]
TOOL = {"name": "get_weather", "parameters": CITY}
CHAT_TOOLS = [{"type": "function", "function": TOOL}]


def chat(**more):
    answer = client.chat.completions.create(model=model("gpt-4o"), messages=MESSAGES, **more)
    message = answer.choices[0].message
    found = {"text": message.content, "usage": answer.usage, "model": answer.model, "request": answer._request_id,
             "finish": answer.choices[0].finish_reason}
    for call in message.tool_calls or []:
        found["tool"] = {"name": call.function.name, "arguments": call.function.arguments}
    return found


def stream(**more):
    text, usages, tool, events = "", [], None, 0
    chunks = Arriving(client.chat.completions.create(model=model("gpt-4o"), messages=MESSAGES, stream=True, **more))
    for chunk in chunks:
        events += 1
        if chunk.usage is not None:
            usages.append(plain(chunk.usage))
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                tool = tool or {"name": call.function.name, "arguments": ""}
                tool["arguments"] += call.function.arguments or ""
    return {"text": text, "usage": usages[-1] if usages else None, "usages": len(usages), "tool": tool, "events": events,
            "pauses": chunks.pauses}


def responses(**more):
    answer = client.responses.create(model=model("gpt-5-mini"), instructions=SYSTEM, input=PROMPT, **more)
    return described(answer)


def described(answer):
    found = {"text": answer.output_text, "usage": answer.usage, "model": answer.model, "finish": answer.status}
    for item in answer.output:
        if item.type == "function_call":
            found["tool"] = {"name": item.name, "arguments": item.arguments}
    return found


def responses_stream(**more):
    with client.responses.stream(model=model("gpt-5-mini"), instructions=SYSTEM, input=PROMPT, **more) as events:
        arriving = Arriving(events)
        count = sum(1 for _ in arriving)
        return {**described(events.get_final_response()), "events": count, "pauses": arriving.pauses}


def embeddings():
    answer = client.embeddings.create(model=model("text-embedding-3-small"), input=[PROMPT, SYSTEM])
    return {"vectors": [item.embedding for item in answer.data], "usage": answer.usage, "model": answer.model}


def models():
    return {"models": [found.id for found in client.models.list()]}


def realtime():
    usages = []
    with client.realtime.connect(model=model("gpt-realtime")) as connection:
        begun = connection.recv()
        connection.session.update(session={"type": "realtime", "output_modalities": ["text"], "instructions": SYSTEM})
        for _ in range(2):
            connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": PROMPT}]})
            connection.response.create()
            text = ""
            for event in connection:
                if event.type == "response.output_text.delta":
                    text += event.delta
                if event.type == "response.done":
                    usages.append(plain(event.response.usage))
                    break
    return {"begun": begun.type, "text": text, "usages": usages}


def failed(error):
    return {"status": getattr(error, "status_code", None), "code": getattr(error, "code", None),
            "type": getattr(error, "type", None), "message": getattr(error, "message", str(error)),
            "headers": dict(error.response.headers) if hasattr(error, "response") else None,
            "body": getattr(error, "body", None)}


run({
    "chat": chat,
    "tools": lambda: chat(tools=CHAT_TOOLS),
    "stream": stream,
    "stream-usage": lambda: stream(stream_options={"include_usage": True}),
    "stream-tools": lambda: stream(tools=CHAT_TOOLS, stream_options={"include_usage": True}),
    "responses": responses,
    "responses-tools": lambda: responses(tools=[{"type": "function", "strict": False, **TOOL}]),
    "responses-stream": responses_stream,
    "responses-stream-tools": lambda: responses_stream(tools=[{"type": "function", "strict": False, **TOOL}]),
    "embeddings": embeddings,
    "models": models,
    "realtime": realtime,
}, failed)
