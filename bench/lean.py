"""The floor: the shortest script that does a no-change plan's bare work, with nothing that a product needs.

It parses every manifest with libyaml, validates it, lists the models and the senders page by page, reads the bot store,
and compares every declared value with what is live and with what was applied last: a change of any of them is noticed.
No places of errors, no checks beyond types, no prompts in files, no defaults, no reasons, no guards.
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
    data: Json


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


def _store() -> tuple[dict[str, Json], dict[str, Json], dict[tuple[str, str], str]]:
    """Assistants and bots by id, and the values that were applied last, by client and kind, as JSON."""
    connection = sqlite3.connect(os.environ["BOT_STORE_URL"].removeprefix("sqlite:///"))
    rows = connection.execute("SELECT id, name, model, instructions, tools FROM assistants")
    assistants = {
        key: {"name": name, "model": model, "instructions": instructions, "tools": json.loads(tools)}
        for key, name, model, instructions, tools in rows
    }
    rows = connection.execute(
        "SELECT id, name, twilio_phone_number, assistant_id, functions, policy, metadata FROM bots"
    )
    bots = {
        key: {
            "name": name,
            "twilio_phone_number": number,
            "assistant_id": assistant,
            "functions": json.loads(functions),
            "policy": {name: value for name, value in json.loads(policy).items() if name != "version"},
            "metadata": json.loads(metadata),
        }
        for key, name, number, assistant, functions, policy, metadata in rows
    }
    rows = connection.execute('SELECT client, kind, "values" FROM applied')
    return assistants, bots, {(client, kind): values for client, kind, values in rows}


def _assistant(client: _Client) -> Json:
    tools = [
        {**{key: value for key, value in tool.items() if key != "endpoint"}, "strict": False}
        for tool in client.assistant.tools
    ]
    assistant = client.assistant
    return {"name": client.name, "model": assistant.model, "instructions": assistant.instructions, "tools": tools}


def _bot(client: _Client) -> Json:
    endpoints = {tool["name"]: tool["endpoint"] for tool in client.assistant.tools}
    data = {name: value for name, value in client.data.items() if name != "recipients"}
    return {
        "name": client.name,
        "twilio_phone_number": client.number,
        "assistant_id": client.id,
        "functions": {
            name: {"url": endpoint["url"], "secret_env": endpoint["secret"]["env"], "timeout_seconds": 10.0}
            for name, endpoint in endpoints.items()
        },
        "policy": {"data": data} if data else {},
        "metadata": client.metadata,
    }


def _profile(sender: Json) -> Json:
    profile = sender["profile"]
    return {
        **profile,
        "emails": [item["email"] for item in profile["emails"]],
        "websites": [item["website"] for item in profile["websites"]],
    }


def _webhook() -> Json:
    """What every sender is to call."""
    base, overrides = os.environ["PUBLIC_URL"], "#ct=2000&rc=3&rp=ct,5xx"
    first, status = f"{base}/webhook/whatsapp{overrides}", f"{base}/webhook/whatsapp/status{overrides}"
    return {"callback_url": first, "fallback_url": first, "status_callback_url": status}


def main(folder: Path) -> None:
    """Compares and prints how many clients there are and how many differ."""
    gc.disable()
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(_models), pool.submit(_senders)
        # SQLite releases the GIL at each row; beside the parser it would wait to get it back thousands of times.
        assistants, bots, applied = _store()
        desired = _desired(folder)
        models, senders = reading[0].result(), reading[1].result()
    webhook = _webhook()

    def is_as_declared(client: _Client) -> bool:
        assistant, bot, profile = _assistant(client), _bot(client), client.sender.profile
        sender, recorded = senders[client.number], json.loads(applied[client.id, "sender"])
        return (
            client.assistant.model in models
            and assistants.get(client.id) == assistant
            and assistant.items() <= json.loads(applied[client.id, "assistant"]).items()
            and bots.get(client.id) == bot
            and bot.items() <= json.loads(applied[client.id, "bot"]).items()
            and webhook.items() <= sender["webhook"].items()
            and webhook.items() <= recorded["webhook"].items()
            and profile.items() <= _profile(sender).items()
            and profile == recorded["profile"]
        )

    changed = [client.id for client in desired if not is_as_declared(client)]
    print(f"{len(desired)} clients, {len(changed)} changed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
