"""Every log of a runtime that a test starts is searched, at the end of the session, for everything that people said in
it, their names and addresses, and every secret: no test has to ask for that.

A text counts from LONG_ENOUGH characters and two words on: a shorter one, such as a number of a turn, may be anything,
and so may one that strangers repeat in any place of a request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

LONG_ENOUGH = 10
SECRET_NAME = re.compile(r"(SECRET|TOKEN|KEY|PASSWORD)")
OURS = "+1555"
"""Begins the numbers of the tests' bots, which a log shows whole."""
OF_BOT = re.compile(r'"number":"(\+\d+)"')
"""Of a bot, in a line of a log. Two bots that write to each other are people to each other."""
ADDRESS = re.compile(r"\+\d{8,15}|\b[A-Z]{2}\.[A-Za-z0-9]{6,}")


@dataclass(slots=True)
class Collected:
    """What was said, and where it must not be."""

    logs: set[Path] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)

    def person(self, address: object, *texts: object) -> None:
        """A person writes from an address."""
        self.addresses |= {found for found in ADDRESS.findall(str(address)) if not found.startswith(OURS)}
        self.texts |= {text for text in texts if isinstance(text, str) and _is_prose(text)}

    def form(self, fields: Mapping[str, str]) -> None:
        """A webhook brought it."""
        self.person(fields.get("From", ""), fields.get("Body"), fields.get("ProfileName"))
        self.person(fields.get("ExternalUserId", ""))

    def runtime(self, log: Path, environment: Mapping[str, str]) -> None:
        """A runtime is started with these settings."""
        self.logs.add(log)
        named = {name: value for name, value in environment.items() if SECRET_NAME.search(name)}
        secrets = [part for value in named.values() for part in value.split(",")]
        self.secrets |= {secret for secret in secrets if len(secret) >= LONG_ENOUGH}

    def shown(self) -> list[str]:
        """`file: event: what it shows` for each line of a log that shows something of that; the texts as JSON writes
        them."""
        logs = {log: log.read_text(errors="replace") for log in sorted(self.logs) if log.exists()}
        bots = {number for whole in logs.values() for number in OF_BOT.findall(whole)}
        needles = self.addresses - bots | self.secrets | {json.dumps(text)[1:-1] for text in self.texts} | self.texts
        found = []
        for log, whole in logs.items():
            for needle in needles:
                if needle in whole:
                    lines = [line for line in whole.splitlines() if needle in line]
                    found += [f"{log}: {needle!r} in {line[:400]}" for line in lines[:1]]
        return found


def _is_prose(text: str) -> bool:
    return len(text) >= LONG_ENOUGH and len(text.split()) > 1


COLLECTED = Collected()


@pytest.fixture(scope="session", autouse=True)
def _logs_show_nothing_of_people() -> Iterator[None]:
    yield
    found = COLLECTED.shown()
    assert found == [], "logs of this session show what people said, or a secret:\n" + "\n".join(found[:20])
