"""A client with a desk at the sandbox's Chatwoot, and a person who writes to it."""

from __future__ import annotations

import hmac
import json
import time
from dataclasses import dataclass
from itertools import count

from tests.drivers.fleet import Fleet
from tests.runtime_process import Answer, Line
from tests.sandbox_process import Json, Sandbox, wait_until

SECRET = "desk-secret"
ASK = "Quiero hablar con una persona"
MOST_DESKS = 500
"""That the tests of one worker open: a law opens one for each life."""
SETTINGS = {"DESK_HOOK": SECRET} | {f"DESK_TOKEN_{one}": f"desk-bridge-{one}" for one in range(1, MOST_DESKS)}
"""The secrets that the clients' manifests name."""
_users = count(56_930_000_001)
_accounts = count(1)


@dataclass(frozen=True, slots=True)
class Desk:
    """A client with a desk, and one person who writes to it."""

    fleet: Fleet
    line: Line
    account: int
    inbox: int
    user: str

    def write(self, text: str, **fields: object) -> None:
        """The person writes."""
        self.line.write(text, self.user, wait=0, **fields)

    def phone(self) -> list[str]:
        """What the person was sent."""
        return [entry["body"] for entry in self.line.outbound(self.user)]

    def sent(self, text: str) -> None:
        """Waits until the person was sent something."""
        wait_until(lambda: any(text in body for body in self.phone()), what=f"{text!r} at {self.phone()}")

    @property
    def conversation(self) -> Json:
        """The person's conversation at the desk; empty before there is one."""
        found = self.line.sandbox.ask("GET", f"desk/conversations?account={self.account}")["conversations"]
        return next((row for row in found if row["contact"]["phone_number"] == self.user), {})

    def said(self) -> list[str]:
        """What is at the desk of it, without notes."""
        rows = self.conversation.get("messages", ())
        return [str(row["content"]) for row in rows if not row["private"]]

    def notes(self) -> list[str]:
        """The notes at the desk of it."""
        return [str(row["content"]) for row in self.conversation.get("messages", ()) if row["private"]]

    def shows(self, text: str) -> None:
        """Waits until something is at the desk."""
        wait_until(lambda: any(text in said for said in self.said()), what=f"{text!r} at the desk: {self.said()}")

    def has_status(self, status: str) -> None:
        """Waits for a status at the desk."""
        wait_until(lambda: self.conversation.get("status") == status, what=f"{status} at the desk")

    def operator(self, content: str, **fields: object) -> Json:
        """An operator writes at the desk."""
        body = {"account": self.account, "to": self.user, "content": content, **fields}
        return self.line.sandbox.ask("POST", "desk/messages", body)

    def set_status(self, status: str) -> None:
        """An operator changes the conversation's status."""
        self.line.sandbox.ask("POST", "desk/status", {"account": self.account, "to": self.user, "status": status})

    def handed_over(self) -> None:
        """The person asks for a person, and the desk has the conversation."""
        self.write(ASK)
        self.has_status("open")

    def state(self) -> str:
        """Who has the conversation here."""
        found = self.fleet.rows(f"SELECT state FROM conversations WHERE user_key = 'whatsapp:{self.user}'")
        return str(found[0][0]) if found else ""

    def is_assistants(self) -> None:
        """Waits until the assistant has it again."""
        wait_until(lambda: self.state() == "assistant", what="the assistant to have it")

    def is_reported(self, text: str) -> bool:
        """Whether the desk shows that a message was delivered."""
        rows = self.conversation.get("messages", ())
        return any(row["content"] == text and row["status"] == "delivered" for row in rows)

    def media(self) -> list[tuple[str, str]]:
        """The files that the person was sent: the text below each, and its address."""
        return [(entry["body"], url) for entry in self.line.outbound(self.user) for url in entry.get("media", ())]

    def delivery(self, message: Json) -> tuple[str, str | None]:
        """What the desk shows of a message: its status, and why it failed."""
        (row,) = [row for row in self.conversation["messages"] if row["id"] == message["id"]]
        return row["status"], row["content_attributes"].get("external_error")


def opened(fleet: Fleet, sandbox: Sandbox, mirror: str | None = None, **bot: object) -> Desk:
    """A client with a desk of its own; `bot`: fields of its bot."""
    account = next(_accounts)
    assert account < MOST_DESKS, "the runtimes have no token for another desk: raise MOST_DESKS"
    inbox = sandbox.ask("POST", "desk/inboxes", {"account": account, "secret": SECRET})
    chatwoot = {"url": inbox["url"], "account": account, "inbox": inbox["inbox"]}
    secrets = {"token": {"env": f"DESK_TOKEN_{account}"}, "webhook_secret": {"env": "DESK_HOOK"}}
    desk = {"chatwoot": chatwoot | secrets, "allow_private": True} | ({"mirror": mirror} if mirror else {})
    line = fleet.open_line(policy={"handoff": {"desk": desk}}, **bot)
    hook = f"{fleet.replicas[-1].url}/webhook/desk/{line.bot['id']}"
    sandbox.ask("POST", "desk/inboxes", {"account": account, "inbox": inbox["inbox"], "webhook_url": hook})
    return Desk(fleet, line, account, inbox["inbox"], f"+{next(_users)}")


def webhook(desk: Desk, event: Json, *, secret: str = SECRET, age: int = 0, client: str | None = None) -> Answer:
    """Posts an event as Chatwoot signs it."""
    body, stamp = json.dumps(event).encode(), str(int(time.time()) - age)
    digest = hmac.digest(secret.encode(), f"{stamp}.".encode() + body, "sha256").hex()
    headers = {"X-Chatwoot-Timestamp": stamp, "X-Chatwoot-Signature": f"sha256={digest}"}
    return desk.fleet.replicas[0].request("POST", f"/webhook/desk/{client or desk.line.bot['id']}", body, headers)
