"""The floor: the shortest script that does a no-change plan's bare work, with nothing that a product needs.

It parses every manifest with libyaml, validates it, lists the models and the senders page by page, reads the bot store
and compares what must be equal. No places of errors, no prompts in files, no defaults, no reasons, no guards.
Run as `python -m bench.lean CLIENTS_DIR`, with the settings of `reconcile` in the environment.
"""

from __future__ import annotations

import base64
import gc
import http.client
import json
import os
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Assistant(_Strict):
    engine: str
    model: str
    instructions: str
    tools: list[Json]


class _Sender(_Strict):
    profile: Json


class _Client(_Strict):
    id: str
    name: str
    number: str
    assistant: _Assistant
    sender: _Sender
    metadata: dict[str, str]


def _desired(folder: Path) -> list[_Client]:
    paths = sorted(folder.glob("*.yaml"))
    return [_Client.model_validate(yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)) for path in paths]


def _get(base: str, path: str, authorization: str) -> Json:
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("GET", parts.path + path, headers={"Authorization": authorization})
    page: Json = json.loads(connection.getresponse().read())
    connection.close()
    return page


def _models() -> set[str]:
    page = _get(os.environ["OPENAI_BASE_URL"], "/models", f"Bearer {os.environ['OPENAI_API_KEY']}")
    return {model["id"] for model in page["data"]}


def _senders() -> dict[str, Json]:
    pair = f"{os.environ['TWILIO_ACCOUNT_SID']}:{os.environ['TWILIO_AUTH_TOKEN']}"
    authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    found: dict[str, Json] = {}
    path = "/v2/Channels/Senders?Channel=whatsapp&PageSize=1000"
    while path:
        page = _get(os.environ["TWILIO_BASE_URL"], path, authorization)
        found.update((sender["sender_id"].removeprefix("whatsapp:"), sender) for sender in page["senders"])
        following = urlsplit(page["meta"]["next_page_url"] or "")
        path = f"{following.path}?{following.query}" if following.path else ""
    return found


def _store() -> tuple[dict[str, Any], dict[str, Any]]:
    connection = sqlite3.connect(os.environ["BOT_STORE_URL"].removeprefix("sqlite:///"))
    assistants = connection.execute("SELECT id, name, model, instructions, tools FROM assistants")
    bots = connection.execute("SELECT id, name, twilio_phone_number, assistant_id, metadata FROM bots")
    return {row[0]: row for row in assistants}, {row[0]: row for row in bots}


def _differs(client: _Client, assistant: Any, bot: Any, sender: Json) -> bool:
    profile = sender["profile"]
    live = {
        **profile,
        "emails": [item["email"] for item in profile["emails"]],
        "websites": [item["website"] for item in profile["websites"]],
    }
    tools = [{key: value for key, value in tool.items() if key != "strict"} for tool in json.loads(assistant[4])]
    declared = [{key: value for key, value in tool.items() if key != "endpoint"} for tool in client.assistant.tools]
    return (
        assistant[1:4] != (client.name, client.assistant.model, client.assistant.instructions)
        or tools != declared
        or bot[1:4] != (client.name, client.number, client.id)
        or json.loads(bot[4]) != client.metadata
        or any(live[key] != value for key, value in client.sender.profile.items())
        or sender["webhook"]["callback_url"] != f"{os.environ['PUBLIC_URL']}/webhook/whatsapp#ct=2000&rc=3&rp=ct,5xx"
    )


def main(folder: Path) -> None:
    """Compares and prints how many clients there are and how many differ."""
    gc.disable()
    with ThreadPoolExecutor(3) as pool:
        reading = pool.submit(_models), pool.submit(_senders), pool.submit(_store)
        desired = _desired(folder)
        models, senders, (assistants, bots) = reading[0].result(), reading[1].result(), reading[2].result()
    changed = [
        client.id
        for client in desired
        if client.assistant.model not in models
        or client.id not in assistants
        or client.id not in bots
        or _differs(client, assistants[client.id], bots[client.id], senders[client.number])
    ]
    print(f"{len(desired)} clients, {len(changed)} changed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
