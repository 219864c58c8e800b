"""What the programs of model SDKs share: the commands of the command line, and a line of JSON about each."""
import json
import os
import sys
import time

# What is asked, and by which model; a test may choose others.
PROMPT = os.environ.get("PROMPT", "the weather in Paris")
SYSTEM = os.environ.get("SYSTEM", "Be brief and kind.")

CITY = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}


def model(otherwise):
    return os.environ.get("MODEL", otherwise)


class Arriving:
    """Hands on the events of a stream, and counts how often it had to wait for the next one."""

    def __init__(self, events):
        self.events = events
        self.pauses = 0

    def __iter__(self):
        asked = None
        for event in self.events:
            if asked is not None and time.monotonic() - asked > 0.02:
                self.pauses += 1
            yield event
            asked = time.monotonic()


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
    """Calls the functions of the commands, each perhaps with a model: `chat@gpt-5`. `failed` tells status, code, type
    and message of the SDK's exceptions."""
    for argument in sys.argv[1:]:
        command, _, named = argument.partition("@")
        if named:
            os.environ["MODEL"] = named
        try:
            found = commands[command]()
        except Exception as error:
            found = {"error": type(error).__name__, **failed(error)}
        print(json.dumps(plain(found)))
