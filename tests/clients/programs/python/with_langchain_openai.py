"""LangChain's OpenAI models, configured by OPENAI_BASE_URL and OPENAI_API_KEY."""
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from reporting import CITY, PROMPT, SYSTEM, Arriving, model, run

MESSAGES = [SystemMessage(SYSTEM), HumanMessage(PROMPT)]
TOOL = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a city", "parameters": CITY}}


def described(message):
    found = {"text": message.text, "usage": message.usage_metadata, "model": message.response_metadata.get("model_name")}
    for call in message.tool_calls:
        found["tool"] = {"name": call["name"], "arguments": call["args"]}
    return found


def chat(**more):
    return described(ChatOpenAI(model=model("gpt-4o"), **more).invoke(MESSAGES))


def tools():
    return described(ChatOpenAI(model=model("gpt-4o")).bind_tools([TOOL]).invoke(MESSAGES))


def stream(**more):
    whole, events = None, 0
    chunks = Arriving(ChatOpenAI(model=model("gpt-4o"), **more).stream(MESSAGES))
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
        events += 1
    return {**described(whole), "events": events, "pauses": chunks.pauses}


def embeddings():
    # Counting the texts' tokens first would load a vocabulary from the network.
    texts = OpenAIEmbeddings(model=model("text-embedding-3-small"), check_embedding_ctx_length=False)
    return {"vectors": texts.embed_documents([PROMPT, SYSTEM])}


def failed(error):
    return {"status": getattr(error, "status_code", None), "code": getattr(error, "code", None), "message": str(error)}


run({
    "chat": chat,
    "tools": tools,
    "stream": stream,
    "responses": lambda: chat(use_responses_api=True),
    "responses-stream": lambda: stream(use_responses_api=True),
    "embeddings": embeddings,
}, failed)
