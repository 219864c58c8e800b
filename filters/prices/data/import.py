#!/usr/bin/env python3
"""Makes the price files beside this script from the public price list in the PyPI package `litellm`.

    pip download --no-deps litellm -d /tmp/litellm && cd /tmp/litellm && unzip -o litellm-*.whl
    python3 filters/prices/data/import.py \\
        /tmp/litellm/litellm/model_prices_and_context_window_backup.json --version 1.109.1 --date 2026-11-21

Standard library only; prices are read as text, never as floats. A price field that this script does not know stops
it: a kind of price that nobody thought about must not go missing. Models whose prices cannot be said in the kinds
that usage is counted in are left out and named on stderr with the reason; they are unpriced, never free.

Run again with a newer list, a row whose prices changed ends at --date and a new one with a new id begins there;
unchanged rows keep their ids; a row whose model the list no longer has ends at --date.
"""

import argparse
import json
import pathlib
import re
import sys
from decimal import Decimal

HERE = pathlib.Path(__file__).resolve().parent
MAX_FILE = 39_000

# The list's name of a provider: ours, and the prefix its model names carry there.
PROVIDERS = {
    "openai": ("openai", ""),
    "anthropic": ("anthropic", ""),
    "gemini": ("gemini", "gemini/"),
    "vertex_ai": ("vertex", "vertex_ai/"),
    "vertex_ai-language-models": ("vertex", "vertex_ai/"),
    "vertex_ai-embedding-models": ("vertex", "vertex_ai/"),
    "vertex_ai-anthropic_models": ("vertex", "vertex_ai/"),
    "bedrock": ("bedrock", ""),
    "bedrock_converse": ("bedrock", ""),
    "azure": ("azure-openai", "azure/"),
    "mistral": ("mistral", "mistral/"),
    "deepseek": ("deepseek", "deepseek/"),
    "xai": ("xai", "xai/"),
    "groq": ("groq", "groq/"),
    "cohere": ("cohere", "cohere/"),
    "cohere_chat": ("cohere", "cohere/"),
}
MODES = {"chat", "responses", "embedding", "image_generation", "audio_transcription", "audio_speech", "realtime"}

# Price fields by the kind of usage they price; the kinds are those of creto-metering.
KINDS = {
    "input_cost_per_token": "input",
    "cache_read_input_token_cost": "cached_input",
    "input_cost_per_token_cache_hit": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    # One kind for the provider's longer cache, be it an hour or a day.
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "cache_creation_input_token_cost_above_12hr": "cache_write_1h",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "input_cost_per_video_token": "video_input",
    "output_cost_per_image": "images",
    "output_cost_per_image_token": "image_output",
}
ORDER = ["input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning", "audio_input",
         "audio_output", "image_input", "images", "server_tool_calls"]
SERVICE_TIERS = {"priority": "priority", "flex": "flex", "batches": "batch", "ultrafast": "ultrafast"}
FIELD = re.compile(r"^(?P<base>.+?)(?:_above_(?P<above>\d+)k_tokens)?(?:_(?P<tier>priority|flex|batches|ultrafast))?$")

# Priced by what usage has no count of (time, characters, pages, pixels, queries), or for one part of cached input
# that usage does not tell apart. Known, and left out.
NOT_COUNTED = {
    "annotation_cost_per_page", "cache_creation_input_audio_token_cost", "cache_read_input_audio_token_cost",
    "cache_read_input_image_token_cost", "citation_cost_per_token", "code_interpreter_cost_per_session",
    "cost_per_second", "google_maps_grounding_cost_per_query", "input_cost_per_audio_per_second",
    "input_cost_per_character", "input_cost_per_image", "input_cost_per_pixel", "input_cost_per_query",
    "input_cost_per_request", "input_cost_per_second", "input_cost_per_text_message",
    "input_cost_per_video_per_second", "ocr_cost_per_page", "output_cost_per_character", "output_cost_per_pixel",
    "output_cost_per_second", "output_cost_per_video_per_second", "output_cost_per_video_token",
    "guardrail_cost_per_unit",
}
NOT_COUNTED_PATTERN = re.compile(
    r"^(output_cost_per_second_\w+|input_cost_per_video_per_second_above_\d+s_interval|\w+_decisions)$")
STRUCTURED = {"search_context_cost_per_query", "off_peak_pricing", "provider_specific_entry"}
# What multiplies every price of a call by where it is processed; and by where or how fast, in
# provider_specific_entry. Usage tells neither: the row's `uplift` is the largest product, and only ceilings count it.
REGIONS = {"regional_endpoint_uplift_multiplier", "regional_processing_uplift_multiplier_eu",
           "regional_processing_uplift_multiplier_us"}
SPECIFIC_REGIONS, SPECIFIC_SPEEDS = {"us"}, {"fast"}
# The list has the price of a code container as a model of its own, in dollars a session.
CONTAINERS = {"openai": "openai/container", "azure-openai": "azure/container"}
# What is wrong in the list: the model, its field and the value that is wrong; then the field it must be, or why the
# model is left out. Once the list has another value, the entry stops the script: look again.
WRONG_FIELD = {
    # Half the input price is OpenAI's price of cached input, which the undated models have; OpenAI bills no writes.
    ("ft:gpt-4o-2024-11-20", "cache_creation_input_token_cost", "1.875e-06"): "cache_read_input_token_cost",
}
WRONG_PRICE = {
    ("embed-multilingual-light-v3.0", "input_cost_per_token", "0.0001"):
        "100 dollars per million tokens, a thousand times its siblings: per thousand, likely",
    ("vertex_ai/lyria-002", "output_cost_per_image", "0.06"):
        "music by the clip, given as a price of images; usage has no count of clips",
}
PRICE_WORDS = re.compile(r"cost|pric|uplift|multiplier|fee|rate(?!s?_limit)")
NOT_PRICES = {"audio_transcription_config", "bedrock_output_config_effort_ceiling", "web_search_billing_unit"}


class LeftOut(Exception):
    """Why a model is not in the files."""


def decimal(text, model, field):
    """The list's number as an exact decimal without an exponent."""
    if not isinstance(text, str) or not re.fullmatch(r"\d+(\.\d+)?([eE][-+]?\d+)?", text):
        sys.exit(f"{model}: {field} is {text!r}, not a number that is zero or more")
    number = format(Decimal(text).normalize(), "f")
    if len(number.partition(".")[2]) > 15:
        sys.exit(f"{model}: {field} = {text} has more than 15 decimals")
    return number


def count(entry, model, field):
    if field not in entry:
        return None
    number = Decimal(entry[field])
    if number != number.to_integral_value() or number < 1:
        raise LeftOut(f"{field} is {entry[field]}")
    return int(number)


def price_cells(model, entry):
    """{(service tier, threshold): {kind: price}} of the list's entry."""
    cells = {}
    for field, value in entry.items():
        if not PRICE_WORDS.search(field) or field in STRUCTURED or field in NOT_PRICES or field in REGIONS:
            continue
        if field.startswith("supports_"):
            continue
        match = FIELD.match(field)
        base, above, tier = match["base"], match["above"], match["tier"]
        if base in NOT_COUNTED or NOT_COUNTED_PATTERN.match(field):
            continue
        if base not in KINDS:
            sys.exit(f"{model}: unknown price field {field} = {value!r}; teach KINDS or NOT_COUNTED about it")
        where = (SERVICE_TIERS[tier] if tier else "standard", int(above) * 1000 if above else 0)
        cell, kind, number = cells.setdefault(where, {}), KINDS[base], decimal(value, model, field)
        if cell.get(kind, number) != number:
            raise LeftOut(f"{field} contradicts another field of the same kind")
        cell[kind] = number
    return cells


def corrected(model, entry):
    """The entry without what is known to be wrong in it."""
    for (wrong, field, value), why in WRONG_PRICE.items():
        if wrong == model:
            if entry.get(field) != value:
                sys.exit(f"{model}: {field} is no longer {value}; look whether WRONG_PRICE still holds")
            raise LeftOut(why)
    entry = dict(entry)
    for (wrong, field, value), right in WRONG_FIELD.items():
        if wrong == model:
            if entry.pop(field, None) != value or right in entry:
                sys.exit(f"{model}: {field} is no longer {value}; look whether WRONG_FIELD still holds")
            entry[right] = value
    return entry


def normal(model, cells, mode):
    """Kinds of the list turned into kinds of usage."""
    base = cells.get(("standard", 0), {})
    for cell in cells.values():
        video, image = cell.pop("video_input", None), cell.get("image_input", cell.get("input"))
        if video not in (None, image):
            raise LeftOut("image and video tokens have different prices, and usage counts them as one")
        painted = cell.pop("image_output", None)
        if painted is not None:
            if cell.setdefault("output", painted) != painted:
                raise LeftOut("text and image output have different prices, and usage counts them as one")
            cell.pop("images", None)
    if not any(Decimal(base.get(kind, "0")) > 0 for kind in ("input", "audio_input", "images")):
        raise LeftOut("no price per token or image, or zero")
    if "input" in base and Decimal(base["input"]) == 0:
        raise LeftOut("input is free")
    for (service, above), cell in cells.items():
        # A kind that is priced for long contexts alone goes by convention there, as it does below.
        if service == "standard" and above:
            for kind in cell.keys() - base.keys():
                del cell[kind]
        # Zero stands in the list for what is not sold; those kinds go by convention instead of being free. But what
        # a model writes has no convention: only embeddings are free, since their models write nothing.
        if mode != "embedding" and Decimal(cell.get("output", "1")) == 0:
            raise LeftOut("output is free")
        for kind in [kind for kind, price in cell.items() if Decimal(price) == 0 and kind != "output"]:
            del cell[kind]
        # A price that is what convention says anyway follows that price through every tier.
        if base.get("reasoning") == base.get("output"):
            cell.pop("reasoning", None)
        if base.get("image_input") == base.get("input"):
            cell.pop("image_input", None)
    return {where: cell for where, cell in cells.items() if cell}


def per_tool_call(model, entry):
    sizes = entry.get("search_context_cost_per_query")
    if sizes is None:
        return None
    if set(sizes) != {"search_context_size_low", "search_context_size_medium", "search_context_size_high"}:
        sys.exit(f"{model}: unknown shape of search_context_cost_per_query: {sizes}")
    prices = {decimal(price, model, "search_context_cost_per_query") for price in sizes.values()}
    return prices.pop() if len(prices) == 1 else None


def uplift(model, entry):
    """The largest product of a region's and a speed's multiplier, if it is above one."""
    regions = [decimal(entry[field], model, field) for field in REGIONS & entry.keys()]
    speeds = []
    for key, value in entry.get("provider_specific_entry", {}).items():
        if key in SPECIFIC_REGIONS | SPECIFIC_SPEEDS:
            (regions if key in SPECIFIC_REGIONS else speeds).append(decimal(value, model, key))
        elif has_number(value):
            sys.exit(f"{model}: unknown provider_specific_entry {key} = {value!r}; teach SPECIFIC_* about it")
    most = max(map(Decimal, ["1", *regions])) * max(map(Decimal, ["1", *speeds]))
    return decimal(str(most), model, "uplift") if most > 1 else None


def has_number(value):
    """Numbers are read as text, so text that is a number counts as one."""
    if isinstance(value, (dict, list)):
        return any(map(has_number, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d*\.?\d+([eE][-+]?\d+)?\s*", value) is not None


def ordered(cell):
    return {kind: cell[kind] for kind in ORDER if kind in cell}


def body(model, entry, provider, container):
    """A row without its names, id and dates; `container` is the provider's price of a code container, if known."""
    entry = corrected(model, entry)
    if "off_peak_pricing" in entry:
        raise LeftOut("its price depends on the hour")
    cells = normal(model, price_cells(model, entry), entry["mode"])
    tool = per_tool_call(model, entry)
    if tool and Decimal(tool) > 0:
        cells[("standard", 0)]["server_tool_calls"] = tool
    row = {}
    if (window := count(entry, model, "max_input_tokens")) is not None:
        row["context_window"] = window
    if entry["mode"] != "embedding" and (limit := count(entry, model, "max_output_tokens")) is not None:
        row["max_output"] = limit
    if (factor := uplift(model, entry)) is not None:
        row["uplift"] = factor
    if container and "server_tool_calls" in cells[("standard", 0)] and Decimal(container) > Decimal(tool):
        row["dearest_tool_call"] = container
    for service in ["standard", *SERVICE_TIERS.values()]:
        if (service, 0) not in cells:
            # A long-context price without any other is no offer: the tier stays unpriced.
            continue
        prices = ordered(cells[(service, 0)])
        long = []
        for above in sorted(above for tier, above in cells if tier == service and above):
            # "Above 200k" is more than 200,000 tokens; xAI's begins at 200,000.
            long.append({"above": above - (provider == "xai"), **ordered(cells[(service, above)])})
        if long:
            prices["long"] = long
        if service == "standard":
            row.update(prices)
        else:
            row[service] = prices
    return row


def family(name):
    """Snapshots and regional profiles of one model share it."""
    name = re.sub(r"^(us-gov|us|eu|apac|jp|au|ca|global)\.", "", name)
    name = re.sub(r"(-v\d+(:\d+)?|:\d+)$", "", name)
    return re.sub(r"([-@](20\d{2}-\d{2}-\d{2}|20\d{6}|\d{4}|\d{3}|default)|-latest)$", "", name)


def rows_of(listing):
    rows, left_out = {}, []
    containers = {provider: decimal(listing[name]["code_interpreter_cost_per_session"], name, "container")
                  for provider, name in CONTAINERS.items() if name in listing}
    for name, field, _ in [*WRONG_FIELD, *WRONG_PRICE]:
        if name not in listing:
            print(f"{name} is no longer in the list: its entry in WRONG_* can go", file=sys.stderr)
    for name, entry in listing.items():
        if entry.get("litellm_provider") not in PROVIDERS or entry.get("mode") not in MODES:
            continue
        provider, prefix = PROVIDERS[entry["litellm_provider"]]
        model = name.removeprefix(prefix).lower()
        # Regional or sized entries, and commitments: names that no call carries.
        if "/" in model and provider not in ("groq",):
            continue
        try:
            made = body(name, entry, provider, containers.get(provider))
        except LeftOut as why:
            left_out.append((provider, model, str(why)))
            continue
        known = rows.setdefault(provider, {})
        if known.get(model, made) != made:
            left_out.append((provider, model, "listed twice with different prices: the dearer input is kept"))
            if Decimal(known[model].get("input", "0")) >= Decimal(made.get("input", "0")):
                continue
        known[model] = made
    for provider, model, why in left_out:
        # A snapshot left out must not be found under its undated name, at that one's price.
        undated = re.sub(r"[-@](20\d{2}-\d{2}-\d{2}|20\d{6})$", "", model)
        if undated != model and model not in rows[provider] and undated in rows[provider]:
            sys.exit(f"{provider} {model} is left out ({why}), and would have the price of {undated}")
    merged = {}
    for provider, known in rows.items():
        groups = {}
        for model in sorted(known, key=lambda model: (len(model), model)):
            groups.setdefault((family(model), json.dumps(known[model])), []).append(model)
        merged[provider] = [(names, known[names[0]]) for names in groups.values()]
    return merged, left_out


def names_of(row):
    return {row["model"], *row.get("aliases", [])} if row else set()


def with_history(provider, fresh, date):
    """Rows with ids and dates, those of earlier lists kept and ended where they changed."""
    earlier = []
    for path in sorted(HERE.glob(f"{provider}*.json")):
        book = json.loads(path.read_text())
        if book["provider"] == provider:
            earlier.extend(book["rows"])
    about = ("id", "model", "aliases", "effective_from", "effective_to")
    out, still_open, priced_before = [], {}, set()
    for row in earlier:
        if row["id"].endswith(f"@{date}"):
            continue
        priced_before.update(names_of(row))
        if "effective_to" in row:
            out.append(row)
        else:
            still_open[row["model"]] = row
    for models, made in fresh:
        aliases = models[1:]
        if models[0].startswith("ft:"):
            # Fine-tuned models are named after their base: ft:<base>:<organization>:<name>:<id>.
            aliases = [*aliases, *(f"{model}:*" for model in models)]
        row = {"id": f"{provider}:{models[0]}@{date}", "model": models[0]}
        was = still_open.get(models[0])
        gained = {models[0], *aliases} - names_of(was or {})
        same = was and {key: value for key, value in was.items() if key not in about} == made
        # A name that another row had until now may not be in two rows at one time.
        if same and names_of(was) <= {models[0], *aliases} and not gained & priced_before:
            del still_open[models[0]]
            row["id"] = was["id"]
            if "effective_from" in was:
                row["effective_from"] = was["effective_from"]
        elif {models[0], *aliases} & priced_before:
            row["effective_from"] = date
        if aliases:
            row["aliases"] = aliases
        out.append({**row, **made})
    out.extend({**row, "effective_to": date} for row in still_open.values())
    return sorted(out, key=lambda row: row["id"])


def write(provider, rows, version, date):
    """Files of at most MAX_FILE bytes, a row a line."""
    head = {"version": 1, "provider": provider, "currency": "USD",
            "source": {"package": "litellm", "version": version, "date": date}}
    parts, size = [[]], 0
    for row in rows:
        line = json.dumps(row, separators=(",", ":"))
        if size + len(line) + 2 > MAX_FILE - 300:
            parts.append([])
            size = 0
        parts[-1].append(line)
        size += len(line) + 2
    for old in HERE.glob(f"{provider}*.json"):
        if re.fullmatch(re.escape(provider) + r"(-\d+)?", old.stem):
            old.unlink()
    for number, lines in enumerate(parts, 1):
        name = provider if len(parts) == 1 else f"{provider}-{number}"
        text = json.dumps(head)[:-1] + ', "rows": [\n' + ",\n".join(lines) + "\n]}\n"
        (HERE / f"{name}.json").write_text(text)
        print(f"{name}.json: {len(lines)} rows, {len(text)} bytes")


def main():
    arguments = argparse.ArgumentParser(description="Makes the price files from a public price list.")
    arguments.add_argument("listing", type=pathlib.Path)
    arguments.add_argument("--version", required=True, help="version of the package the list is from")
    arguments.add_argument("--date", required=True, help="date of the list, YYYY-MM-DD")
    given = arguments.parse_args()
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", given.date):
        sys.exit("--date is not YYYY-MM-DD")
    listing = json.loads(given.listing.read_text(), parse_float=str, parse_int=str)
    merged, left_out = rows_of(listing)
    for provider, fresh in sorted(merged.items()):
        write(provider, with_history(provider, fresh, given.date), given.version, given.date)
    for provider, model, why in left_out:
        print(f"left out: {provider} {model}: {why}", file=sys.stderr)


if __name__ == "__main__":
    main()
