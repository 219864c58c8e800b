#!/usr/bin/env python3
"""Writes the inputs that a fuzz target begins with: python3 seeds.py ROOT TARGET FOLDER

They come from what the tests hold already: recorded answers, and the texts that stand in the tests' sources. Each gets
the head that src/lib.rs reads: two bytes that pick a case, and two places to cut at.
"""

import gzip
import json
import pathlib
import re
import struct
import sys
import zlib

# As `Shape::ALL` has them.
SHAPES = [
    "OpenAiChat", "OpenAiResponses", "OpenAiEmbeddings", "OpenAiImages", "OpenAiRealtime", "Anthropic", "Gemini",
    "BedrockConverse", "BedrockInvoke",
]
# How many cases `first` picks among, where the text itself does not say.
CASES = {"json_facts": 20, "mcp_answer": 2, "json_rpc": 2, "scrubber": 8, "injection": 5}
# Sources whose texts make sense to a target.
TEXTS = {
    "json_facts": ["filters/classify/tests", "filters/classify/src", "filters/mcp/tests"],
    "json_rpc": ["filters/mcp/tests", "filters/classify/tests/json_rpc.rs"],
    "mcp_answer": ["filters/mcp/tests"],
    "usage_chunk_stripper": ["filters/metering/tests/strip.rs"],
    "cel": ["filters/expression/tests", "filters/expression/src", "filters/policy/tests"],
    "policy": ["filters/policy/tests", "filters/policy/src", "deploy/demo", "docs"],
    "scrubber": ["proxy/credentials/tests", "proxy/credentials/src/scrub"],
    "injection": ["proxy/credentials/tests", "proxy/credentials/src/sigv4"],
}
LARGEST = 8000
# Tests of policy mostly write the rules only.
RULES = b'version = 1\nname = "seed"\n'
# Expressions that can be decided before everything is known.
EARLY = [
    "llm.streaming || request.method == 'POST'",
    "request.method == 'GET' && mcp.tool.arguments.limit > 5",
    "['search', t.any, request.host].exists(x, x == 'search')",
    "[t.uint, 1u].all(x, x == 1u) || request.size > 0",
    "request.size > 0 ? llm.streaming || true : t.any",
    "has(request.headers.accept) || 'a' in llm.tools || request.path.matches('^/v1')",
]
STRING = re.compile(r'r(#*)"(.*?)"\1|"((?:[^"\\]|\\.)*)"', re.DOTALL)
ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2})|(\n\s*)|(.))", re.DOTALL)


def unescape(text):
    def one(match):
        point, byte, folded, plain = match.groups()
        if point or byte:
            return chr(int(point or byte, 16))
        return "" if folded else {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}.get(plain, plain)

    return ESCAPE.sub(one, text)


def files(root, places):
    for place in places:
        path = root / place
        yield from sorted(path.rglob("*")) if path.is_dir() else [path]


def texts(root, places):
    """The string literals of Rust sources, and whole documents."""
    for path in files(root, places):
        if path.suffix in (".toml", ".json"):
            yield path.read_bytes()
        elif path.suffix == ".md":
            yield from (block.encode() for block in re.findall(r"```toml\n(.*?)```", path.read_text(), re.DOTALL))
        elif path.suffix == ".rs":
            for hashes, raw, plain in STRING.findall(path.read_text()):
                text = raw or unescape(plain)
                # `{{` and `{}` of format strings: close enough.
                yield text.encode()
                if "{{" in text:
                    yield text.replace("{{", "{").replace("}}", "}").encode()


def goldens(root):
    """Recorded answers: body, shape, kind of framing, failed."""
    for told in sorted((root / "filters/metering/tests/golden").rglob("*.expected.json")):
        expected = json.loads(told.read_text())
        stem = told.name.removesuffix(".expected.json")
        for path in told.parent.glob(stem + ".*"):
            if path != told and path.stem == stem:
                kind = expected["content_type"].split(";")[0]
                yield path.read_bytes(), SHAPES.index(expected["shape"]), kind, expected.get("status", 200) >= 400


def usage(root, target):
    framings = {
        "usage_json": {"application/json": 0, "application/x-ndjson": 1, "text/html": 0},
        "usage_sse": {"text/event-stream": 0},
        "usage_event_stream": {"application/vnd.amazon.eventstream": 0},
        "usage_websocket": {"websocket": 0},
        "usage_coded": {"application/json": 0, "text/event-stream": 1, "application/vnd.amazon.eventstream": 2},
    }[target]
    count = {"usage_json": 2, "usage_coded": 3}.get(target, 1)
    for body, shape, kind, failed in goldens(root):
        if kind not in framings:
            continue
        first = shape + len(SHAPES) * failed
        second = 3 * framings[kind]
        if target == "usage_coded":
            raw = zlib.compressobj(wbits=-15)
            codings = [(0, gzip.compress(body)), (1, zlib.compress(body)), (1, raw.compress(body) + raw.flush())]
            for encoding, coded in codings + list(other_codings(body)):
                yield first, second + 3 * count * encoding, coded
        else:
            yield first, second, body


def other_codings(body):
    """Brotli and Zstandard by hand, uncompressed: nothing to install, and the fuzzer finds the rest."""
    length = min(len(body), 0xFFFF)
    # RFC 8878: magic, single segment with two bytes of size, one last raw block.
    if length >= 256:
        header = struct.pack("<I", 0xFD2FB528) + bytes([0x60]) + struct.pack("<H", length - 256)
        yield 3, header + struct.pack("<I", 1 | length << 3)[:3] + body[:length]
    # RFC 7932: window of 16 bits, one meta-block that is not compressed, then the empty last one.
    # One bit 0 for the window; then not last, two bits for four nibbles, the length less one, and that it is plain.
    if length:
        yield 2, ((length - 1) << 4 | 1 << 20).to_bytes(3, "little") + body[:length] + b"\x03"


def seeds(root, target):
    if target.startswith("usage_") and target != "usage_chunk_stripper":
        yield from usage(root, target)
        return
    if target == "usage_chunk_stripper":
        yield from ((0, 0, body) for body, _, kind, _ in goldens(root) if kind == "text/event-stream")
    if target == "cel":
        yield from ((255 << bit & 255, 1 << bit, text.encode() + b" " * bit) for text in EARLY for bit in range(8))
    for number, text in enumerate(texts(root, TEXTS[target])):
        if target == "cel":
            # Which attributes are not known yet: few at a time.
            yield 1 << number % 8, 1 << number // 8 % 8, text
            continue
        yield number % CASES.get(target, 1), 1, text
        if target == "policy":
            yield 0, 0, RULES + text
            yield 0, 0, RULES + b'[[allow]]\nname = "seed"\nhost = "*"\n' + text


def main():
    root, target, folder = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    seen = set()
    for first, second, body in seeds(root, target):
        if body and len(body) <= LARGEST and body not in seen:
            seen.add(body)
            cuts = struct.pack("<HH", len(body) // 3, len(body) // 2)
            (folder / f"{len(seen):05}").write_bytes(bytes([first, second]) + cuts + body)


main()
