"""People in a chaos run: users of one more client ask for a person, an operator answers at the desk and gives the
conversation back, while everything fails that fails for the others, and the desk itself.

The verdict believes the sandbox (what was sent, what is at the desk) and, for who had a conversation when, the store.
"""

from __future__ import annotations

import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg

from tests.chaos.fleet import Fleet
from tests.chaos.onlooker import Onlooker, at_once
from tests.sandbox_process import Sandbox

TOKEN = re.compile(r"\b[phu]\d{4}-[0-9a-f]{4}\b")
"""p: a question to the assistant, u: what a user writes to a person, h: what an operator writes."""
ASK = "quiero hablar con una persona"
NUMBER = "+15558999999"
SECRETS = {"DESK_TOKEN": "desk-bridge-1", "DESK_HOOK": "desk-secret"}
"""Settings of the runtimes."""
LONGEST_PAUSE = 1.5
CLAIMS = (
    "SELECT o.conversation_id, o.claimed_at, o.body FROM outbox o JOIN conversations c ON c.id = o.conversation_id"
    " WHERE c.bot_id = '{bot}' AND o.turn_id IS NOT NULL AND o.author IS NULL AND o.claimed_at IS NOT NULL"
)
ACTIONS = "SELECT object_id, at, action FROM audit WHERE kind = 'conversation' ORDER BY id"

Json = dict[str, Any]


def faults(seed: int, trouble: float) -> list[Json]:
    """What goes wrong at the desk: its API as the providers' do, and one webhook of seven is lost."""
    api = {"provider": "chatwoot", "path": "/api/v1/accounts/"}
    webhook = {"provider": "chatwoot", "path": "/webhook/desk/"}
    rules: list[Json] = [
        api | {"kind": "status", "status": 500, "rate": 0.025},
        api | {"kind": "retry_after", "retry_after": 0.5, "rate": 0.025},
        api | {"kind": "timeout_after_write", "seconds": 1, "rate": 0.02},
        webhook | {"kind": "drop_webhook", "rate": 0.07},
        webhook | {"kind": "duplicate_webhook", "seconds": 0.3, "rate": 0.1},
        webhook | {"kind": "reorder_webhooks", "seconds": 0.4, "rate": 0.1},
    ]
    return [rule | {"rate": rule["rate"] * trouble, "seed": seed + 50 + number} for number, rule in enumerate(rules)]


@dataclass(slots=True)
class People:
    """The users of a client with a desk, and its operator."""

    sandbox: Sandbox
    fleet: Fleet
    seed: int
    users: int
    replies: int
    patience: float
    """Seconds within which each step must have its effect."""
    seen: Onlooker = field(init=False)
    bot: str = ""
    written: dict[str, list[str]] = field(default_factory=dict)
    """User → the tokens that they and the operator wrote, in that order."""

    def __post_init__(self) -> None:
        self.seen = Onlooker(self.sandbox, NUMBER, self.patience)

    def open(self) -> None:
        """Makes the client, its sender and its desk."""
        inbox = self.sandbox.ask("POST", "desk/inboxes", {"secret": SECRETS["DESK_HOOK"]})
        chatwoot = {"url": inbox["url"], "account": inbox["account"], "inbox": inbox["inbox"]}
        secrets = {"token": {"env": "DESK_TOKEN"}, "webhook_secret": {"env": "DESK_HOOK"}}
        policy = {"handoff": {"desk": {"chatwoot": chatwoot | secrets, "allow_private": True}}}
        fields = {"name": "Con personas", "instructions": "Respondes breve.", "model": "gpt-6-luna", "policy": policy}
        made = self.fleet.replicas[0].made("/bots/", {**fields, "twilio_phone_number": NUMBER})
        self.bot = str(made["id"])
        url = f"{self.fleet.url}/webhook/whatsapp"
        hook = {"callback_url": url, "status_callback_url": f"{url}/status"}
        self.sandbox.register(NUMBER, webhook=hook)
        desk = {"inbox": inbox["inbox"], "webhook_url": f"{self.fleet.url}/webhook/desk/{self.bot}"}
        self.sandbox.ask("POST", "desk/inboxes", desk)

    def play(self) -> None:
        """Everybody at once; returns when all have had what they wait for, or patience is at its end."""
        at_once(self.users, self._play)

    def _play(self, number: int) -> None:
        dice = random.Random(f"people {self.seed} {number}")
        user = f"+5697{1_000_000 + number}"
        written = self.written.setdefault(user, [])
        time.sleep(dice.uniform(0, 2 * LONGEST_PAUSE))
        self._write(user, self._token("p", number, dice, written), "¿tienen mesa?")
        self.seen.until(lambda: self.seen.answers(user, written[0]) > 0, f"{user}: {written[0]} to be answered")
        self._write(user, self._token("p", number, dice, written), ASK)
        if not self.seen.until(lambda: self._status(user) == "open", f"{user}: the desk to have it"):
            return
        for _ in range(self.replies):
            time.sleep(dice.uniform(0, LONGEST_PAUSE))
            if dice.random() < 0.5:
                self._write(user, self._token("u", number, dice, written), "¿sigue ahí?")
            token = self._token("h", number, dice, written)
            self.sandbox.ask("POST", "desk/messages", {"to": user, "content": f"{token} claro que sí"})
        self.sandbox.ask("POST", "desk/status", {"to": user, "status": "resolved"})
        time.sleep(dice.uniform(0, LONGEST_PAUSE))
        last = self._token("p", number, dice, written)
        self._write(user, last, "¿y mañana?")
        self.seen.until(lambda: self.seen.answers(user, last) > 0, f"{user}: {last} to be answered")

    def _token(self, kind: str, number: int, dice: random.Random, written: list[str]) -> str:
        token = f"{kind}{number:02d}{len(written):02d}-{dice.getrandbits(16):04x}"
        written.append(token)
        return token

    def _write(self, user: str, token: str, words: str) -> None:
        self.sandbox.inbound(NUMBER, f"{token} {words}", user, wait=0)

    def _status(self, user: str) -> str:
        return str(self._at_desk().get(user, {}).get("status"))

    def _at_desk(self) -> dict[str, Json]:
        rows = self.sandbox.ask("GET", "desk/conversations")["conversations"]
        return {row["contact"]["phone_number"]: row for row in rows}

    def _is_sent(self, user: str, token: str) -> bool:
        return self._sent(user, token) > 0

    def _is_heard(self, user: str, token: str) -> bool:
        """Whether what a user wrote to a person is at the desk, or the assistant has answered it."""
        rows = self._at_desk().get(user, {}).get("messages", ())
        return self.seen.answers(user, token) > 0 or any(token in row["content"] for row in rows)

    def judge(self) -> list[str]:
        """What must not have happened, and did. Waits for what is on its way."""
        for user, written in self.written.items():
            for token in written:
                if token[0] == "h":
                    self.seen.until(partial(self._is_sent, user, token), f"{user}: {token} to be sent")
                elif token[0] == "u":
                    self.seen.until(partial(self._is_heard, user, token), f"{user}: {token} to be heard of")
        desk = self._at_desk()
        for user, written in self.written.items():
            self._judge(user, written, desk.get(user, {}))
        return [*self.seen.problems, *self._late_sends()]

    def _sent(self, user: str, token: str) -> int:
        return sum(body.startswith(token) for body in self.seen.outbound(user))

    def _judge(self, user: str, written: Sequence[str], at_desk: Json) -> None:
        rows = at_desk.get("messages", ())
        sources = Counter(row["source_id"] for row in rows if row["source_id"])
        self.seen.object(user, "doubled at the desk", [source for source, times in sources.items() if times > 1])
        shown = Counter(
            token for row in rows if row["message_type"] == "incoming" for token in TOKEN.findall(row["content"])
        )
        replies = [token for token in written if token[0] == "h"]
        said = [token for token in written if token[0] == "u"]
        self.seen.object(user, "doubled at the desk", [token for token, times in shown.items() if times > 1])
        bodies = self.seen.outbound(user)
        went = [body.split()[0] for body in bodies if body.startswith("h")]
        self.seen.object(user, "lost on the way to the phone", [token for token in replies if token not in went])
        self.seen.object(user, "doubled at the phone", [token for token, times in Counter(went).items() if times > 1])
        if [token for token in replies if token in went] != list(dict.fromkeys(went)):
            self.seen.problems.append(f"{user}: out of order: {went}")
        answered = Counter(token for body in bodies if body.startswith("[") for token in TOKEN.findall(body))
        unheard = [token for token in said if not shown[token] and not answered[token]]
        self.seen.object(user, "neither at the desk nor answered", unheard)
        self.seen.object(user, "answered twice", [token for token, times in answered.items() if times > 1])

    def _late_sends(self) -> list[str]:
        """Sends of the assistant that began after a person had taken their conversation."""
        held: dict[str, list[tuple[str, str]]] = {}
        for conversation, at, action in self._rows(ACTIONS):
            spans = held.setdefault(str(conversation), [])
            if action in ("taken", "replied") and (not spans or spans[-1][1]):
                spans.append((at, ""))
            elif action in ("released", "closed") and spans and not spans[-1][1]:
                spans[-1] = (spans[-1][0], at)
        return [
            f"conversation {conversation}: sent at {claimed}, taken at {taken}: {body[:60]!r}"
            for conversation, claimed, body in self._rows(CLAIMS.format(bot=self.bot))
            for taken, given in held.get(str(conversation), ())
            if taken < claimed and (not given or claimed < given)
        ]

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        url = self.fleet.database_url
        if url.startswith("sqlite:///"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as store:
                return store.execute(query).fetchall()
        with psycopg.connect(url) as server:
            return server.execute(query).fetchall()
