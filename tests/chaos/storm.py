"""Plays a scenario against the sandbox and a fleet, and collects the ledger until everything is answered."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.fleet import Fleet
from tests.chaos.scenario import Kill, Scenario
from tests.chaos.verdict import Verdict, judge
from tests.sandbox_process import Sandbox

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
    exit_codes: list[int]
    seconds: float
    verdict: Verdict


@dataclass(slots=True)
class Storm:
    """One run."""

    scenario: Scenario
    sandbox: Sandbox
    fleet: Fleet
    loud: bool = False
    """Whether progress is reported on stderr."""
    entries: list[Json] = field(default_factory=list)
    killed: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    told: str = ""

    @property
    def pace(self) -> float:
        """Seconds of this run for a second of the scenario."""
        return min(max(1.0, self.fleet.start_seconds / SWIFT_START_SECONDS), SLOWEST)

    def play(self) -> Outcome:
        """Plays the scenario to its end; raises what goes wrong with a kill or a start."""
        speakers, numbers = self._open_clients()
        self.sandbox.settings(think_seconds=THINK_SECONDS)
        self.sandbox.faults(*self.scenario.faults)
        self.started = time.monotonic()
        with ThreadPoolExecutor(1, "kills") as pool:
            kills = pool.submit(self._kill, self.scenario.kills)
            self._write(numbers, kills)
            kills.result()
        self._wait_for_answers(speakers)
        seconds = time.monotonic() - self.started
        exit_codes = self.fleet.stop()
        self._read()
        verdict = judge(self.entries, speakers)
        replicas = len(self.fleet.replicas)
        return Outcome(
            self.scenario,
            self.fleet.store,
            replicas,
            self.pace,
            self.entries,
            speakers,
            self.killed,
            exit_codes,
            seconds,
            verdict,
        )

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

    def _webhook(self, *, careful: bool) -> Json:
        """A sender's webhook; one that was not set up with care loses what a kill cuts off."""
        url = f"{self.fleet.url}/webhook/whatsapp"
        hook = {"callback_url": url, "status_callback_url": f"{url}/status"}
        return hook | {"callback_url": url + OVERRIDES, "fallback_url": url + OVERRIDES} if careful else hook

    def _write(self, numbers: Sequence[str], kills: Future[None]) -> None:
        for written, letter in enumerate(self.scenario.letters):
            time.sleep(max(0.0, self.started + letter.moment * self.pace - time.monotonic()))
            self.sandbox.inbound(numbers[letter.client], letter.text, letter.user, wait=0)
            if written % 100 == 0:
                self._tell(f"{written} written")
            if kills.done():
                kills.result()

    def _kill(self, kills: Sequence[Kill]) -> None:
        serving_since = self.started
        for kill in kills:
            moment = max(self.started + kill.moment * self.pace, serving_since + kill.breath * self.pace)
            time.sleep(max(0.0, moment - time.monotonic()))
            self.killed.append(time.time())
            self.fleet.kill(kill)
            serving_since = time.monotonic()

    def _wait_for_answers(self, speakers: dict[str, str]) -> None:
        """Returns when nothing is open and nothing was sent for a while, or when patience is at its end."""
        deadline = time.monotonic() + self.scenario.scale.patience * self.pace
        last_sent = time.monotonic()
        sent = -1
        while time.monotonic() < deadline:
            self._read()
            verdict = judge(self.entries, speakers)
            if verdict.outbound != sent:
                sent, last_sent = verdict.outbound, time.monotonic()
            waiting = verdict.count("lost")
            self._tell(f"all written, {waiting} not answered yet")
            if waiting == 0 and time.monotonic() - last_sent >= QUIET_SECONDS:
                return
            time.sleep(0.5)

    def _read(self) -> None:
        self.entries += self.sandbox.ledger(since=len(self.entries))

    def _tell(self, progress: str) -> None:
        if self.loud and progress != self.told:
            self.told = progress
            line = f"{self.fleet.store}: {time.monotonic() - self.started:5.1f} s, {progress}, {len(self.killed)} kills"
            terminal = sys.stderr.isatty()
            print(f"\r\x1b[K{line}" if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)
