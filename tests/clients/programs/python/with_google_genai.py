"""The Google Gen AI SDK, configured by GOOGLE_GEMINI_BASE_URL and GEMINI_API_KEY."""
from google import genai
from google.genai import types

from reporting import CITY, PROMPT, SYSTEM, Arriving, model, run

client = genai.Client()
CONFIG = {"system_instruction": SYSTEM}
DECLARED = types.FunctionDeclaration(name="get_weather", description="Weather of a city", parameters_json_schema=CITY)
TOOLS = {**CONFIG, "tools": [types.Tool(function_declarations=[DECLARED])]}


def described(answer, text):
    found = {"text": text, "usage": answer.usage_metadata, "model": answer.model_version,
             "finish": answer.candidates[0].finish_reason}
    for call in answer.function_calls or []:
        found["tool"] = {"name": call.name, "arguments": call.args}
    return found


def chat(config):
    answer = client.models.generate_content(model=model("gemini-2.5-flash"), contents=PROMPT, config=config)
    return described(answer, None if answer.function_calls else answer.text)


def stream(config):
    text, events, last = "", 0, None
    asked = {"model": model("gemini-2.5-flash"), "contents": PROMPT, "config": config}
    arriving = Arriving(client.models.generate_content_stream(**asked))
    for last in arriving:
        events += 1
        text += "" if last.function_calls else last.text or ""
    return {**described(last, text), "events": events, "pauses": arriving.pauses}


def embeddings():
    answer = client.models.embed_content(model=model("gemini-embedding-001"), contents=[PROMPT, SYSTEM])
    return {"vectors": [item.values for item in answer.embeddings]}


def failed(error):
    details = getattr(error, "details", None)
    inner = details.get("error", {}) if isinstance(details, dict) else {}
    return {"status": getattr(error, "code", None), "code": getattr(error, "status", None),
            "message": getattr(error, "message", None) or str(error), "details": inner.get("details"), "body": details}


run({
    "chat": lambda: chat(CONFIG),
    "tools": lambda: chat(TOOLS),
    "stream": lambda: stream(CONFIG),
    "stream-tools": lambda: stream(TOOLS),
    "embeddings": embeddings,
}, failed)
