"""Messages of an agency's own in a chaos run: templates and free text to people who have never written, some of whom
then answer and opt out, while everything fails that fails for the others.

The verdict believes the sandbox's ledger, and what the API answered.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from typing import Literal
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from runtime.store.database.once import run_once
from runtime.store.tokens import NewToken, create_token
from tests.chaos.fleet import Fleet
from tests.chaos.onlooker import Json, Onlooker, at_once
from tests.runtime.template_shop import PROMO, REMINDER, REOPEN, made
from tests.sandbox_process import Sandbox

NUMBER = "+15558999998"
TOKEN = re.compile(r"\b[tfma]\d{4}-[0-9a-f]{4}\b")
"""t: a template, f: free text, m: marketing after an opt-out, a: what a person writes to the assistant."""
BYE = "Listo: no te enviaremos más avisos."
LONGEST_PAUSE = 1.5
CALL_SECONDS = 20.0
TEMPLATES: Json = {
    "recordatorio": REMINDER,
    "promo": PROMO | {"body": "Hoy 2x1 con el código {codigo} en cazuelas.", "samples": {"codigo": "ABC"}},
    "retomar": REOPEN,
}

Result = Literal["accepted", "refused", "unknown"]


@dataclass(slots=True)
class Proactive:
    """The people to whom an agency writes first, and the agency."""

    sandbox: Sandbox
    fleet: Fleet
    seed: int
    users: int
    patience: float
    """Seconds within which each step must have its effect."""
    seen: Onlooker = field(init=False)
    bot: str = ""
    token: str = ""
    """Of the agency, which may send marketing."""
    sent: dict[str, list[tuple[str, Result]]] = field(default_factory=dict)
    """User → the tokens that the agency sent to them, in that order, with what came of each call."""

    def __post_init__(self) -> None:
        self.seen = Onlooker(self.sandbox, NUMBER, self.patience)

    def open(self) -> None:
        """Makes the client, its sender and its templates."""
        sids = {name: made(self.sandbox, name, document) for name, document in TEMPLATES.items()}
        policy = {"templates": TEMPLATES, "template_sids": sids, "window": {"reopen_with": "retomar"}}
        fields = {"name": "Con avisos", "instructions": "Respondes breve.", "model": "gpt-6-luna", "policy": policy}
        bot = self.fleet.replicas[0].made("/bots/", {**fields, "twilio_phone_number": NUMBER})
        self.bot = str(bot["id"])
        run_once(self.fleet.database_url, create_token, NewToken("agencia", ("write", "campaigns")), self._keep_token)
        url = f"{self.fleet.url}/webhook/whatsapp"
        self.sandbox.register(NUMBER, webhook={"callback_url": url, "status_callback_url": f"{url}/status"})

    def _keep_token(self, token: str) -> None:
        self.token = token

    def play(self) -> None:
        """Everybody at once; returns when all have had what they wait for, or patience is at its end."""
        at_once(self.users, self._play)

    def _play(self, number: int) -> None:
        dice = random.Random(f"proactive {self.seed} {number}")
        user = f"+5698{1_000_000 + number}"
        self.sent[user] = []
        for kind in ("t", "f"):
            time.sleep(dice.uniform(0, LONGEST_PAUSE))
            self._send_until_accepted(user, kind, dice)
        self._write(user, first := self._token("a", number, 0, dice), "¿sí?")
        self.seen.until(lambda: self.seen.answers(user, first) > 0, f"{user}: {first} to be answered")
        for token in self._accepted(user):
            self.seen.until(partial(self._is_sent, user, token), f"{user}: {token} to be sent")
        self.sandbox.inbound(NUMBER, "BAJA", user, wait=0)
        if not self.seen.until(lambda: self._is_sent(user, BYE), f"{user}: the opt-out to be confirmed"):
            return
        for template in (True, False):
            token = self._token("m", number, len(self.sent[user]), dice)
            self._send_until_refused(user, token, as_template=template)
        self._write(user, last := self._token("a", number, 1, dice), "¿y mañana?")
        self.seen.until(lambda: self.seen.answers(user, last) > 0, f"{user}: {last} to be answered")

    def _token(self, kind: str, number: int, index: int, dice: random.Random) -> str:
        return f"{kind}{number:02d}{index:02d}-{dice.getrandbits(16):04x}"

    def _write(self, user: str, token: str, words: str) -> None:
        self.sandbox.inbound(NUMBER, f"{token} {words}", user, wait=0)

    def _send_until_accepted(self, user: str, kind: str, dice: random.Random) -> None:
        """A template or free text, each time with another token: what came of a call that was not answered is
        unknown."""

        def is_accepted() -> bool:
            token = self._token(kind, int(user[-2:]), len(self.sent[user]), dice)
            document: Json = {"body": f"{token} su pedido está listo"}
            if kind == "t":
                document = {"template": "recordatorio", "variables": {"nombre": token, "dia": "martes"}}
            result = self._post(user, document)
            self.sent[user].append((token, result))
            return result == "accepted"

        self.seen.until(is_accepted, f"{user}: a message to be accepted")

    def _send_until_refused(self, user: str, token: str, *, as_template: bool) -> None:
        document: Json = {"body": f"{token} ¡2x1!"}
        if as_template:
            document = {"template": "promo", "variables": {"codigo": token}}
        results: list[Result] = []

        def is_told() -> bool:
            results.append(self._post(user, document))
            return results[-1] != "unknown"

        self.seen.until(is_told, f"{user}: {token} to be refused")
        if "accepted" in results:
            self.seen.object(user, "accepted after the opt-out", [token])

    def _post(self, user: str, document: Json) -> Result:
        body = json.dumps({"to": user, "bot_id": self.bot, **document}).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            with urlopen(Request(f"{self.fleet.url}/messages/", body, headers), timeout=CALL_SECONDS) as response:
                response.read()
        except HTTPError as error:
            with error:
                if error.code == 409:
                    return "refused"
                if error.code < 500:
                    raise
            return "unknown"
        except (URLError, OSError, HTTPException):
            return "unknown"
        return "accepted"

    def _accepted(self, user: str) -> list[str]:
        return [token for token, result in self.sent[user] if result == "accepted"]

    def _is_sent(self, user: str, words: str) -> bool:
        return any(words in body for body in self.seen.outbound(user) if not body.startswith("["))

    def judge(self) -> list[str]:
        """What must not have happened, and did."""
        for user, sent in self.sent.items():
            self._judge(user, sent)
        return self.seen.problems

    def _judge(self, user: str, sent: Sequence[tuple[str, Result]]) -> None:
        ours = [body for body in self.seen.outbound(user) if not body.startswith("[")]
        went = [token for body in ours for token in TOKEN.findall(body)]
        self.seen.object(user, "sent after the opt-out", [token for token in went if token[0] == "m"])
        self.seen.object(user, "refused before the opt-out", [token for token, result in sent if result == "refused"])
        self.seen.object(user, "doubled", [token for token, times in Counter(went).items() if times > 1])
        self.seen.object(user, "lost", [token for token in self._accepted(user) if token not in went])
        free = [token for token in dict.fromkeys(went) if token[0] == "f"]
        if free != [token for token, _ in sent if token in free]:
            self.seen.object(user, "out of order", free)
        self.seen.object(user, "asked for an answer twice", [body for body in ours if body == REOPEN["body"]][1:])
        self.seen.object(user, "confirmed twice", [body for body in ours if body.startswith(BYE)][1:])
        self.seen.object(user, "free text outside the window", self._too_early(user))

    def _too_early(self, user: str) -> list[str]:
        """Free text that was sent before the person had written."""
        early: list[str] = []
        for message in self.seen.messages(user):
            if message["kind"] == "inbound":
                break
            if message["template"] is None:
                early.append(message["body"])
        return early
