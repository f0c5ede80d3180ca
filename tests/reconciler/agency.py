"""An agency as a test sees it: a folder of manifests, the providers' stand-ins, a bot store, and the command."""

from __future__ import annotations

import json
import sqlite3
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal
from urllib.request import Request, urlopen

import jsonschema_rs
import yaml

from reconciler.model import KIND_ORDER
from runtime.store.client.snapshot import read_snapshot
from runtime.store.client.writer import open_writer
from runtime.store.records import AppliedRecord, BotRecord, Snapshot
from schemas.generate import shipped
from tests.reconciler import live
from tests.reconciler.processes import Commands, Result, Running
from tests.runtime.stores import make_file
from tests.sandbox_process import Json, Sandbox, wait_until

PUBLIC_URL = "https://whatsapp.agencia.cl"
OVERRIDES = "#ct=2000&rc=3&rp=ct,5xx"
"""How Twilio shall call every webhook."""
WEBHOOK = {
    "callback_url": f"{PUBLIC_URL}/webhook/whatsapp{OVERRIDES}",
    "callback_method": "POST",
    "fallback_url": f"{PUBLIC_URL}/webhook/whatsapp{OVERRIDES}",
    "fallback_method": "POST",
    "status_callback_url": f"{PUBLIC_URL}/webhook/whatsapp/status{OVERRIDES}",
    "status_callback_method": "POST",
}
NUMBERS = tuple(f"+5699876{n}" for n in range(5000, 5100))
API_TOKEN = "api-token-of-the-tests"
PLAN_SCHEMA = jsonschema_rs.Draft202012Validator(json.loads(shipped("plan").read_text(encoding="utf-8")))
SECRETS = ("sandbox-token", "sk-sandbox", API_TOKEN, "wrong-key", "wrong-token")
"""Values that no output may ever show."""


@dataclass(slots=True)
class Agency:
    """One installation, in a folder of its own."""

    folder: Path
    sandbox: Sandbox
    commands: Commands
    environment: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, str] = field(default_factory=dict)

    @property
    def store_url(self) -> str:
        """Where the bot store is."""
        return self.environment["BOT_STORE_URL"]

    @property
    def store_file(self) -> Path:
        """The bot store's SQLite file."""
        return self.folder / "store.db"

    def number(self, client: str) -> str:
        """The number that a client gets when the test names none."""
        return self._numbers.setdefault(client, NUMBERS[len(self._numbers)])

    def declare(self, client: str, *, registered: bool = True, **keys: object) -> Json:
        """Write a client's manifest; `keys` replace or add top-level keys, those of `assistant` one by one."""
        own = keys.pop("assistant", {})
        assistant = {"model": "gpt-6-luna", "instructions": f"Eres el asistente de {client}."}
        assistant |= own if isinstance(own, Mapping) else {}
        manifest: Json = {
            "id": client,
            "name": f"Cliente {client}",
            "number": self.number(client),
            "assistant": assistant,
            **keys,
        }
        self.path(client).write_text(yaml.safe_dump(manifest, allow_unicode=True), encoding="utf-8")
        if registered and not self.is_registered(manifest["number"]):
            self.sandbox.register(manifest["number"], profile={"name": manifest["name"]})
        return manifest

    def document(self, name: str, text: str) -> Path:
        """Write a document beside the manifests."""
        path = self.folder / "clients.d" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def path(self, client: str) -> Path:
        """Where a client's manifest lies."""
        return self.folder / "clients.d" / f"{client}.yaml"

    def manifests(self) -> list[Path]:
        """The manifests that there are."""
        return sorted((self.folder / "clients.d").glob("*.yaml"))

    def renew(self) -> None:
        """Begin again with nothing: no manifest, no store, providers in which nothing has happened."""
        self.sandbox.reset()
        for path in (*self.manifests(), *self.folder.glob("store.db*")):
            path.unlink()

    def withdraw(self, client: str) -> None:
        """Remove a client's manifest."""
        self.path(client).unlink()

    def start(self, *args: str, **environment: str | None) -> Running:
        """Start the command; a setting of None is not set."""
        changed = {**self.environment, **environment}
        settings = {key: value for key, value in changed.items() if value is not None}
        return self.commands.start(args, self.folder, settings)

    def killed_at(self, event: Literal["commit", "send"], number: int, *args: str) -> bool:
        """Run the command and kill -9 it just before its commit to the store, or its sending of something over HTTP,
        of this number. False when it has fewer and ended by itself.
        """
        return self.commands.start(args, self.folder, self.environment, (event, number)).wait().code == -9

    def reconcile(self, *args: str, **environment: str | None) -> Result:
        """Run the command. Whatever happens it shows neither a traceback nor a secret."""
        result = self.start(*args, **environment).wait()
        assert "Traceback" not in result.said, result.said
        for secret in SECRETS:
            assert secret not in result.said, result.said
        return result

    def apply(self, *args: str, **environment: str | None) -> Result:
        """Apply, which must go well. What the first one would make from nothing is copied."""
        if self.store_url == f"sqlite:///{self.store_file}" and not self.store_file.exists():
            make_file(self.store_file)
        result = self.reconcile("--yes", *args, **environment)
        assert result.code == 0, result.said
        return result

    def plan(self, *args: str, **environment: str | None) -> Json:
        """The plan as JSON; also of a plan with errors."""
        document = self.reconcile("--dry-run", "--format", "json", *args, **environment).document
        PLAN_SCHEMA.validate(document)
        return document

    def changes(self, *args: str) -> list[str]:
        """The plan's changes, each as `client/kind/action/key`."""
        return [change["id"] for change in self.plan(*args)["changes"]]

    def snapshot(self) -> Snapshot:
        """What the bot store holds."""
        return read_snapshot(self.store_url, API_TOKEN)

    def applied(self) -> list[AppliedRecord]:
        """What the bot store keeps of each client's last apply."""
        return [record for record in self.snapshot().applied if record.kind in KIND_ORDER]

    def writes(self) -> int:
        """How many writing calls both providers have got."""
        return sum(counts["writes"] for counts in self.sandbox.summary().values())

    def is_registered(self, number: str) -> bool:
        """Whether Twilio knows the number."""
        return number in self.senders()

    def senders(self) -> dict[str, Json]:
        """Twilio's senders by number, whole."""
        return {sender["sender_id"].removeprefix("whatsapp:"): sender for sender in live.senders(self.sandbox)}

    def sender(self, client: str) -> Json:
        """A client's sender at Twilio."""
        return self.senders()[self.number(client)]

    def assistants(self) -> list[Json]:
        """The live objects of the Assistants API."""
        return live.assistants(self.sandbox)

    def documents(self) -> dict[str, dict[str, str]]:
        """By the client whose mark a vector store carries: the text of each file in it, by the path it has in git."""
        return live.documents(self.sandbox)

    def templates(self) -> list[tuple[str, str]]:
        """Name and status of every content of the account that was not made for buttons or lists."""
        listed = self.twilio("GET", "/v1/ContentAndApprovals?PageSize=500")["contents"]
        found = [(item["friendly_name"], item["approval_requests"]["status"]) for item in listed]
        return sorted(item for item in found if not item[0].startswith("horizonai "))

    def twilio(self, method: str, path: str, body: Json | None = None) -> Json:
        """One call of Twilio's Content API, as another client would make it."""
        credentials = b64encode(f"{self.sandbox.account_sid}:{self.sandbox.auth_token}".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.sandbox.twilio_url + path, data, headers, method=method), timeout=20) as answer:
            content = answer.read()
        return dict(json.loads(content)) if content else {}

    def uploads(self) -> list[str]:
        """The names of OpenAI's files."""
        return sorted(file["filename"] for file in self.openai("GET", "/files")["data"])

    def agents(self) -> list[Json]:
        """The live agents of the Agents API."""
        return live.agents(self.sandbox)

    def put_bot(self, record: BotRecord) -> None:
        """Put a bot into the store by another hand."""
        with closing(open_writer(self.store_url, API_TOKEN)) as writer:
            writer.put_bot(record)

    def break_in(self, statement: str, *values: object) -> None:
        """Change the bot store's rows behind everybody's back."""
        with closing(sqlite3.connect(self.store_file, isolation_level=None)) as connection:
            connection.execute(statement, values)

    def runs(self) -> list[Json]:
        """The history of applies, newest first."""
        with closing(open_writer(self.store_url, API_TOKEN)) as writer:
            return [asdict(run) for run in writer.runs()]

    def openai(self, method: str, path: str, body: Json | None = None) -> Json:
        """One call of OpenAI's API, as another client would make it."""
        return dict(live.openai_call(self.sandbox, method, path, body))

    def await_calls(self, method: str, path: str, count: int) -> None:
        """Wait until Twilio has received `count` calls of a path."""
        wait_until(lambda: len(self.sandbox.calls("twilio", method, path)) >= count, what=f"{count} {method} {path}")

    def await_fault(self) -> None:
        """Wait until a fault in force has struck."""
        wait_until(lambda: self.sandbox.fired() > 0, what="a call that the faults pick")
