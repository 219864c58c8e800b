"""What the programs of model SDKs share: the commands of the command line, and a line of JSON about each."""
import json
import os
import sys

# What is asked, and by which model; a test may choose others.
PROMPT = os.environ.get("PROMPT", "the weather in Paris")
SYSTEM = os.environ.get("SYSTEM", "Be brief and kind.")

CITY = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}


def model(otherwise):
    return os.environ.get("MODEL", otherwise)


def plain(value):
    """A value of an SDK as JSON has it, without what is not there."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def run(commands, failed):
    """Calls the functions of the commands; `failed` tells status, code, type and message of the SDK's exceptions."""
    for command in sys.argv[1:]:
        try:
            found = commands[command]()
        except Exception as error:
            found = {"error": type(error).__name__, **failed(error)}
        print(json.dumps(plain(found)))
