"""Plays a scenario against the sandbox and a fleet, and collects the ledger until everything is answered."""

from __future__ import annotations

import json
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from runtime.store.database.once import run_once
from runtime.store.tokens import NewToken, create_token
from tests import media_files
from tests.chaos import costs
from tests.chaos.fleet import Fleet
from tests.chaos.people import NUMBER, People, faults
from tests.chaos.proactive import NUMBER as PROACTIVE_NUMBER
from tests.chaos.proactive import Proactive
from tests.chaos.scenario import Kill, Letter, Scenario, Silence, Take
from tests.chaos.verdict import Claim, Held, Verdict, claimed_after_a_take, judge
from tests.sandbox_process import Sandbox

SETTLING_SECONDS = 30.0
"""How long the ledger of usage may take to be complete, after the last answer."""
ACT_SECONDS = 40.0
"""How long a person tries to take a conversation, or to give it back."""
QUIET_SECONDS = 3.0
"""How long nothing may be sent before the run is over: longer than a send in doubt is left alone."""
THINK_SECONDS = 0.15
SWIFT_START_SECONDS = 1.5
SLOWEST = 2.5
"""On a machine on which a runtime takes longer than that to start, everything happens later, by up to this factor."""
OVERRIDES = "#rc=5&rp=all"
"""Twilio tries again whatever went wrong, and not only when it could not connect."""

Json = dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """What a run left behind."""

    scenario: Scenario
    store: str
    replicas: int
    pace: float
    entries: list[Json]
    """The sandbox's ledger."""
    speakers: dict[str, str]
    """How the answers of each client's address begin."""
    killed: list[float]
    """When each kill was made, in seconds since the epoch."""
    troubled: list[tuple[float, str]]
    """When whatever else was done to the fleet began, and what it was."""
    exit_codes: list[int]
    seconds: float
    verdict: Verdict
    people: list[str]
    """What must not have happened to users who asked for a person, and did."""
    proactive: list[str]
    """What must not have happened to users to whom an agency wrote first, and did."""
    held: list[Held]
    """The conversations that people had."""
    miscounted: list[str]
    """Where our ledger of usage is not what the sandbox charged for messages, once nothing is under way."""


@dataclass(slots=True)
class Storm:
    """One run."""

    scenario: Scenario
    sandbox: Sandbox
    fleet: Fleet
    loud: bool = False
    """Whether progress is reported on stderr."""
    promotion: tuple[float, Callable[[], None]] | None = None
    """Seconds after the start, and what makes a standby the server then."""
    entries: list[Json] = field(default_factory=list)
    read: int = 0
    """Number of the ledger's entries that were read."""
    others: set[str] = field(default_factory=set)
    """Messages of conversations that are judged by themselves."""
    killed: list[float] = field(default_factory=list)
    troubled: list[tuple[float, str]] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    token: str = ""
    """Of a person who may read and write."""
    said: dict[str, str] = field(default_factory=dict)
    """What is said in files, by the message's SID."""
    started: float = field(default_factory=time.monotonic)
    told: str = ""

    @property
    def pace(self) -> float:
        """Seconds of this run for a second of the scenario."""
        return min(max(1.0, self.fleet.start_seconds / SWIFT_START_SECONDS), SLOWEST)

    def play(self) -> Outcome:
        """Plays the scenario to its end; raises what goes wrong with a kill or a start."""
        speakers, numbers = self._open_clients()
        people = self._people()
        people.open()
        proactive = self._proactive()
        proactive.open()
        if self.scenario.takes:
            new = NewToken("carla", ("messages", "write"))
            run_once(self.fleet.database_url, create_token, new, self._keep_token)
        self.sandbox.settings(think_seconds=THINK_SECONDS)
        self.sandbox.faults(*self.scenario.faults, *faults(self.scenario.seed, self.scenario.scale.trouble))
        self.started = time.monotonic()
        troubles = [*self._troubles(), people.play, proactive.play]
        with ThreadPoolExecutor(len(troubles), "troubles") as pool:
            under_way = [pool.submit(trouble) for trouble in troubles]
            self._write(numbers, under_way)
            for trouble in under_way:
                trouble.result()
        self._wait_for_answers(speakers)
        seconds = time.monotonic() - self.started
        of_people, of_proactive = people.judge(), proactive.judge()
        claims = self._claims()  # before time is let pass in the store
        miscounted = self._miscounted({*numbers, NUMBER, PROACTIVE_NUMBER})
        exit_codes = self.fleet.stop()
        self._read()
        verdict = judge(self.entries, speakers, self.said, self.held)
        verdict = replace(verdict, violations=[*verdict.violations, *claimed_after_a_take(self.held, claims)])
        replicas = len(self.fleet.replicas)
        return Outcome(
            self.scenario,
            self.fleet.store,
            replicas,
            self.pace,
            self.entries,
            speakers,
            self.killed,
            self.troubled,
            exit_codes,
            seconds,
            verdict,
            of_people,
            of_proactive,
            self.held,
            miscounted,
        )

    def _keep_token(self, token: str) -> None:
        self.token = token

    def _open_clients(self) -> tuple[dict[str, str], list[str]]:
        """Makes the clients; gives how each one's answers begin, and their numbers."""
        speakers: dict[str, str] = {}
        numbers = [f"+1555{9_000_000 + client}" for client in range(self.scenario.scale.clients)]
        for client, number in enumerate(numbers):
            opening = f"Atiendes a los clientes de Negocio-{client}"
            fields = {
                "name": f"Negocio {client}",
                "instructions": f"{opening}. Respondes breve.",
                "model": "gpt-6-luna",
            }
            bot = self.fleet.replicas[0].made("/bots/", fields | {"twilio_phone_number": number})
            speakers[f"whatsapp:{number}"] = f"[{bot['id']}] {opening}."
            self.sandbox.register(number, webhook=self._webhook(careful=client > 0))
        return speakers, numbers

    def _people(self) -> People:
        scale = self.scenario.scale
        return People(
            self.sandbox, self.fleet, self.scenario.seed, scale.people, scale.replies, 2 * scale.patience * self.pace
        )

    def _proactive(self) -> Proactive:
        scale = self.scenario.scale
        return Proactive(self.sandbox, self.fleet, self.scenario.seed, scale.guests, 2 * scale.patience * self.pace)

    def _webhook(self, *, careful: bool) -> Json:
        """A sender's webhook; one that was not set up with care loses what a kill cuts off."""
        url = f"{self.fleet.url}/webhook/whatsapp"
        hook = {"callback_url": url, "status_callback_url": f"{url}/status"}
        return hook | {"callback_url": url + OVERRIDES, "fallback_url": url + OVERRIDES} if careful else hook

    def _troubles(self) -> list[Callable[[], None]]:
        """What is done to the fleet, each in a thread of its own."""
        troubles = [
            partial(self._kill, self.scenario.kills),
            partial(self._silence, "frozen", self.scenario.freezes, self.fleet.freeze),
            partial(self._silence, "cut off", self.scenario.cuts, self.fleet.cut_off),
            self._take_conversations,
        ]
        return [*troubles, self._promote] if self.promotion is not None else [*troubles]

    def _write(self, numbers: Sequence[str], troubles: Sequence[Future[None]]) -> None:
        for written, letter in enumerate(self.scenario.letters):
            self._sleep_until(letter.moment)
            self._send(letter, numbers[letter.client])
            if written % 100 == 0:
                self._tell(f"{written} written")
            for trouble in troubles:
                if trouble.done():
                    trouble.result()

    def _send(self, letter: Letter, number: str) -> None:
        if letter.form == "text":
            self.sandbox.inbound(number, letter.text, letter.user, wait=0)
            return
        is_voice = letter.form == "voice"
        content = media_files.voice_note(letter.text, 2) if is_voice else media_files.jpeg(64, 48, letter.text)
        file = {
            "content_type": "audio/ogg" if is_voice else "image/jpeg",
            "base64": b64encode(content).decode(),
        }
        caption = "" if is_voice else letter.text
        sent = self.sandbox.inbound(number, caption, letter.user, wait=0, media=[file])
        self.said[sent["message_sid"]] = letter.text

    def _kill(self, kills: Sequence[Kill]) -> None:
        serving_since = self.started
        for kill in kills:
            moment = max(self.started + kill.moment * self.pace, serving_since + kill.breath * self.pace)
            time.sleep(max(0.0, moment - time.monotonic()))
            self.killed.append(time.time())
            self.fleet.kill(kill)
            serving_since = time.monotonic()

    def _silence(self, name: str, silences: Sequence[Silence], make: Callable[[Silence], None]) -> None:
        for silence in silences:
            self._sleep_until(silence.moment)
            self.troubled.append((time.time(), f"{name}: replica {silence.replica}, {silence.seconds:.1f} s"))
            make(silence)

    def _take_conversations(self) -> None:
        """People take conversations, some at the same time."""
        with ThreadPoolExecutor(8, "people") as pool:
            list(pool.map(self._take, self.scenario.takes))

    def _take(self, take: Take) -> None:
        self._sleep_until(take.moment)
        number = f"+1555{9_000_000 + take.client}"
        path = f"/conversations/{self._conversation_id(number, take.user)}"
        self._act(f"{path}/take")
        since = time.time()
        if take.text is not None:
            self._act(f"{path}/messages", {"text": take.text})
        time.sleep(take.seconds * self.pace)
        until = time.time()
        self.held.append(Held((f"whatsapp:{number}", f"whatsapp:{take.user}"), since, until))
        self._act(f"{path}/release")

    def _conversation_id(self, number: str, user: str) -> int:
        sql = (
            "SELECT conversations.id FROM conversations JOIN bots ON bots.id = conversations.bot_id"
            f" WHERE twilio_phone_number = '{number}' AND user_key = 'whatsapp:{user}'"
        )
        while not (found := self.fleet.rows(sql)):
            time.sleep(0.1)  # its first message is on its way, or its replica was killed
        return int(found[0][0])

    def _act(self, path: str, document: Json | None = None) -> None:
        """One call of the API, made again while no replica answers it. A reply that may have been stored is not."""
        deadline = time.monotonic() + ACT_SECONDS * self.pace
        body = json.dumps(document).encode() if document is not None else b""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        while True:
            try:
                with urlopen(Request(self.fleet.url + path, body, headers), timeout=20) as response:
                    response.read()
            except (URLError, OSError, HTTPException) as error:
                if isinstance(error, HTTPError) and error.code < 500:
                    raise
                if document is None and time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
                if document is None:
                    continue
            return

    def _promote(self) -> None:
        if self.promotion is not None:
            moment, promote = self.promotion
            self._sleep_until(moment)
            self.troubled.append((time.time(), "promoted"))
            promote()

    def _sleep_until(self, moment: float) -> None:
        """Until seconds after the start, as the scenario counts them."""
        time.sleep(max(0.0, self.started + moment * self.pace - time.monotonic()))

    def _claims(self) -> list[Claim]:
        """The assistant's messages that were claimed."""
        sql = (
            "SELECT sender, recipient, claimed_at, outbox.state, withheld_at, body, turns.state, reason, finished_at"
            " FROM outbox JOIN turns ON turns.id = turn_id WHERE author IS NULL AND claimed_at IS NOT NULL"
        )
        return [
            Claim((sender, recipient), datetime.fromisoformat(at).timestamp(), repr(others))
            for sender, recipient, at, *others in self.fleet.rows(sql)
        ]

    def _wait_for_answers(self, speakers: dict[str, str]) -> None:
        """Returns when nothing is open and nothing was sent for a while, or when patience is at its end."""
        deadline = time.monotonic() + self.scenario.scale.patience * self.pace
        last_sent = time.monotonic()
        sent = -1
        while time.monotonic() < deadline:
            self._read()
            verdict = judge(self.entries, speakers, self.said, self.held)
            if verdict.outbound != sent:
                sent, last_sent = verdict.outbound, time.monotonic()
            waiting = verdict.count("lost")
            self._tell(f"all written, {waiting} not answered yet")
            if waiting == 0 and time.monotonic() - last_sent >= QUIET_SECONDS:
                return
            time.sleep(0.5)

    def _miscounted(self, numbers: set[str]) -> list[str]:
        """Waits until both ledgers agree, or patience is at its end. What callbacks said that no process heard is read
        by a sweep, after a start."""
        costs.let_time_pass(self.fleet.database_url)
        self.fleet.kill(Kill(0.0, 0, 0.0))
        deadline = time.monotonic() + SETTLING_SECONDS * self.pace
        while True:
            different = costs.differences(costs.ours(self.fleet.database_url), costs.theirs(self.sandbox, numbers))
            self._tell(f"all answered, {len(different)} sums of costs differ")
            if not different or time.monotonic() > deadline:
                return different
            time.sleep(0.5)

    def _read(self) -> None:
        """Conversations with people, and those that an agency begins, are judged by themselves."""
        addresses = {f"whatsapp:{NUMBER}", f"whatsapp:{PROACTIVE_NUMBER}"}
        for entry in self.sandbox.ledger(since=self.read):
            self.read = entry["n"] + 1
            if entry["kind"] in ("inbound", "outbound") and addresses & {entry["from"], entry["to"]}:
                self.others.add(entry["message_sid"])
            elif entry.get("message_sid") not in self.others:
                self.entries.append(entry)

    def _tell(self, progress: str) -> None:
        if self.loud and progress != self.told:
            self.told = progress
            line = f"{self.fleet.store}: {time.monotonic() - self.started:5.1f} s, {progress}, {len(self.killed)} kills"
            line += f", {len(self.troubled)} silences" if self.troubled else ""
            terminal = sys.stderr.isatty()
            print(f"\r\x1b[K{line}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)
