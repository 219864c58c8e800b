"""boto3's bedrock-runtime, configured by AWS_ENDPOINT_URL_BEDROCK_RUNTIME, AWS_REGION and the AWS keys (or
AWS_BEARER_TOKEN_BEDROCK)."""
import json

import boto3

from reporting import CITY, PROMPT, SYSTEM, Arriving, model, run

client = boto3.client("bedrock-runtime")
POINT = {"cachePoint": {"type": "default"}}
TOOL = {"toolSpec": {"name": "get_weather", "description": "Weather of a city", "inputSchema": {"json": CITY}}}


def chosen():
    return model("anthropic.claude-sonnet-4-5-20250929-v1:0")


def asked(**more):
    return {"modelId": chosen(), "system": [{"text": SYSTEM}], "messages": [{"role": "user", "content": [{"text": PROMPT}]}],
            "inferenceConfig": {"maxTokens": 200}, **more}


def cached():
    return asked(system=[{"text": SYSTEM}, POINT], messages=[{"role": "user", "content": [{"text": PROMPT}, POINT]}])


def converse(asked):
    answer = client.converse(**asked)
    found = {"usage": answer["usage"], "finish": answer["stopReason"],
             "request": answer["ResponseMetadata"]["RequestId"]}
    for part in answer["output"]["message"]["content"]:
        if "text" in part:
            found["text"] = part["text"]
        if "toolUse" in part:
            found["tool"] = {"name": part["toolUse"]["name"], "arguments": part["toolUse"]["input"]}
    return found


def converse_stream(asked):
    found, arguments, events = {"text": ""}, "", 0
    arriving = Arriving(client.converse_stream(**asked)["stream"])
    for event in arriving:
        events += 1
        if start := event.get("contentBlockStart", {}).get("start", {}).get("toolUse"):
            found["tool"] = {"name": start["name"]}
        delta = event.get("contentBlockDelta", {}).get("delta", {})
        found["text"] += delta.get("text", "")
        arguments += delta.get("toolUse", {}).get("input", "")
        found["usage"] = event.get("metadata", {}).get("usage")
        found["finish"] = event.get("messageStop", {}).get("stopReason") or found.get("finish")
    if "tool" in found:
        found["tool"]["arguments"] = json.loads(arguments)
    return {**found, "events": events, "pauses": arriving.pauses}


def body():
    return json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 200, "system": SYSTEM,
                       "messages": [{"role": "user", "content": PROMPT}]})


def invoke():
    answer = client.invoke_model(modelId=chosen(), body=body())
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    document = json.loads(answer["body"].read())
    return {"text": document["content"][0]["text"], "usage": document["usage"], "finish": document["stop_reason"],
            "counted": {name: headers[f"x-amzn-bedrock-{name}-token-count"] for name in ("input", "output")}}


def invoke_stream():
    text, usage, metrics, events = "", None, None, 0
    arriving = Arriving(client.invoke_model_with_response_stream(modelId=chosen(), body=body())["body"])
    for event in arriving:
        events += 1
        inner = json.loads(event["chunk"]["bytes"])
        text += inner.get("delta", {}).get("text", "")
        usage = inner.get("usage", usage)
        metrics = inner.get("amazon-bedrock-invocationMetrics", metrics)
    return {"text": text, "usage": usage, "metrics": metrics, "events": events,
            "pauses": arriving.pauses}


def failed(error):
    answer = getattr(error, "response", {})
    return {"status": answer.get("ResponseMetadata", {}).get("HTTPStatusCode"), "code": answer.get("Error", {}).get("Code"),
            "message": answer.get("Error", {}).get("Message", str(error)),
            "headers": answer.get("ResponseMetadata", {}).get("HTTPHeaders")}


run({
    "chat": lambda: converse(asked()),
    "tools": lambda: converse(asked(toolConfig={"tools": [TOOL]})),
    "cached": lambda: converse(cached()),
    "stream": lambda: converse_stream(asked()),
    "stream-tools": lambda: converse_stream(asked(toolConfig={"tools": [TOOL]})),
    "stream-cached": lambda: converse_stream(cached()),
    "invoke": invoke,
    "invoke-stream": invoke_stream,
}, failed)
