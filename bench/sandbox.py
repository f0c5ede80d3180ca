"""The sandbox as a process of its own: the providers that the measured commands talk to."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from bench.fleet import SampleClient
from bench.measure import BenchError, environment

ROOT = Path(__file__).resolve().parent.parent
PUBLIC_URL = "https://whatsapp.example.cl"
ACCOUNT_SID = "AC00000000000000000000000000005a4d"
AUTH_TOKEN = "sandbox-token"
API_KEY = "sk-sandbox"
_START_SECONDS = 30
_SENDERS_PER_CALL = 1000


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox."""

    openai_url: str
    twilio_url: str

    def settings(self, store: Path) -> dict[str, str]:
        """What points a command at it, with its bot store in the file `store`."""
        return {
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": API_KEY,
            "TWILIO_BASE_URL": self.twilio_url,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "PUBLIC_URL": PUBLIC_URL,
            "BOT_STORE_URL": f"sqlite:///{store}",
        }

    def latency(self, seconds: float) -> None:
        """Every call of either provider takes that much longer from now on; 0 for none."""
        rules = [{"kind": "latency", "seconds": seconds}] if seconds else []
        self._ask("PUT", "faults", {"rules": rules})

    def calls(self) -> dict[str, int]:
        """How many calls each provider has had."""
        return {provider: counts["calls"] for provider, counts in self._ask("GET", "ledger/summary").items()}

    def register(self, clients: Iterator[SampleClient], *, attached: bool) -> None:
        """Registers a sender for each client; `attached` ones have their webhook and profile as declared already."""
        batch: list[dict[str, Any]] = []
        for client in clients:
            batch.append(_sender(client, attached))
            if len(batch) == _SENDERS_PER_CALL:
                self._ask("POST", "senders", {"senders": batch})
                batch = []
        if batch:
            self._ask("POST", "senders", {"senders": batch})

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = Request(f"{self.twilio_url}/_sandbox/{path}", data, headers, method=method)
        with urlopen(request, timeout=60) as response:
            return json.load(response)


@contextmanager
def sandbox(state: Path) -> Iterator[Sandbox]:
    """Starts a sandbox that remembers in `state`, and stops it at the end."""
    listen = ["--openai", "127.0.0.1:0", "--twilio", "127.0.0.1:0", "--state", str(state)]
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "serve", *listen],
        cwd=ROOT,
        env=environment({}),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        urls = dict(_announced(process) for _ in range(2))
        yield Sandbox(urls["openai"], urls["twilio"])
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _announced(process: subprocess.Popen[str]) -> tuple[str, str]:
    started = time.monotonic()
    line = process.stdout.readline() if process.stdout else ""
    name, _, url = line.strip().partition("  ")
    if not url or time.monotonic() - started > _START_SECONDS:
        raise BenchError(f"the sandbox did not say where it listens, but {line!r}")
    return name, url


def _sender(client: SampleClient, attached: bool) -> dict[str, Any]:
    sender: dict[str, Any] = {"sender_id": f"whatsapp:{client.number}", "profile": {"name": client.name}}
    if attached:
        webhook, overrides = f"{PUBLIC_URL}/webhook/whatsapp", "#ct=2000&rc=3&rp=ct,5xx"
        sender["webhook"] = {
            "callback_url": webhook + overrides,
            "callback_method": "POST",
            "fallback_url": webhook + overrides,
            "fallback_method": "POST",
            "status_callback_url": f"{webhook}/status{overrides}",
            "status_callback_method": "POST",
        }
        sender["profile"] |= {
            "about": client.about,
            "description": client.description,
            "vertical": client.vertical,
            "emails": [{"email": client.email, "label": "Email"}],
            "websites": [{"website": client.website, "label": "Website"}],
        }
    return sender
