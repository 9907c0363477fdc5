"""Compares request bodies with what the vendors' own libraries take: request.py REQUESTS.json

The file is an array of {"api", "body"}. The libraries describe every parameter as a type. Prints an array with null for each body that
fits, and a complaint for each with a field that is missing, of a wrong type, or unknown to them.
"""

import json
import sys
from pathlib import Path

from pydantic import TypeAdapter, ValidationError


def parameters(api):
    if api == "anthropic-messages":
        from anthropic.types.message_create_params import MessageCreateParamsStreaming as Parameters
    elif api == "openai-completions":
        from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming as Parameters
    else:
        from openai.types.responses.response_create_params import ResponseCreateParamsStreaming as Parameters
    return Parameters


def with_server_fields(api, body):
    """An assistant message as the Responses API gave it out has fields that only matter to the giver. The types require them; the
    service does not."""
    if api != "openai-responses":
        return
    for item in body["input"]:
        if item.get("type") == "message" and item.get("role") == "assistant":
            item |= {"id": "msg_1", "status": "completed"}
            for part in item["content"]:
                part["annotations"] = []


def plain(value):
    """Iterables are only checked when they are read."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (str, int, float, type(None))):
        return value
    return [plain(one) for one in value]


def difference(sent, understood, path="body"):
    """The first place where something was left out or changed."""
    if isinstance(sent, dict) and isinstance(understood, dict):
        for key in sent:
            if key not in understood:
                return f"{path}.{key} is unknown"
            if found := difference(sent[key], understood[key], f"{path}.{key}"):
                return found
        return None
    if isinstance(sent, list) and isinstance(understood, list) and len(sent) == len(understood):
        for index, pair in enumerate(zip(sent, understood)):
            if found := difference(*pair, f"{path}[{index}]"):
                return found
        return None
    return None if sent == understood else f"{path} was read as {str(understood)[:200]}"


def complaint(api, sent):
    with_server_fields(api, sent)
    # The iterables need it for as long as they are read.
    adapter = TypeAdapter(parameters(api))
    try:
        return difference(sent, plain(adapter.validate_python(sent)))
    except ValidationError as error:
        return str(error)[:4000]


requests = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
print(json.dumps([complaint(request["api"], request["body"]) for request in requests]))
