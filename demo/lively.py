"""A fleet in daily use: everything is applied, people have written, and one waits for a person."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from demo.processes import BIN, Failed, Installation

STEP_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Written:
    """What a person writes to a client."""

    client: str
    sender: str
    text: str
    taken: bool = False
    """Whether a person of the team takes the conversation before, so that this waits for them."""


WRITTEN: Final = (
    Written("la-cocina", "+56912345678", "Hola, quiero reservar una mesa para cuatro mañana a las 21"),
    Written("la-cocina", "+56912345678", "Perdón, mejor para seis"),
    Written("la-cocina", "+56987651234", "¿Cuánto cuesta la cazuela?"),
    Written("la-cocina", "+56987651234", "¿Y tienen algo vegetariano?"),
    Written("la-cocina", "+56933334444", "¿Abren hoy?"),
    Written("cliente-a", "+56955556666", "Hola, ¿cuándo llega mi pedido?"),
    Written("cliente-b", "+56977778888", "Hola, ¿tienen hora para el martes?"),
    Written("cliente-b", "+56977778888", "Sí, acepto"),
    Written("la-cocina", "+56933334444", "Quiero hablar con una persona, por favor", taken=True),
)


def make_lively(running: Installation) -> None:
    """Applies the manifests and lets people write. Raises Failed."""
    command(running, "reconcile", "--dry-run", "--report")
    command(running, "reconcile", "--yes", "--report")
    for one in WRITTEN:
        if one.taken:
            command(running, "horizonai-whatsapp-bot", "conversations", "take", str(conversation_of(running, one)))
        flags = ("--human",) if one.taken else ()
        phone = ("phone", one.client, one.text, "--from", one.sender, "--twilio", running.twilio_url, *flags)
        _run(running, [sys.executable, "-m", "sandbox", *phone])
    command(running, "reconcile", "drift", "--report")
    command(running, "reconcile", "doctor", "la-cocina", "--report")


def conversation_of(running: Installation, one: Written) -> int:
    """The id of a person's conversation."""
    return _asked(running, "SELECT max(conversation_id) FROM conversation_aliases WHERE alias LIKE ?", f"%{one.sender}")


def turn_of(running: Installation, conversation_id: int) -> int:
    """The id of its last turn."""
    return _asked(running, "SELECT max(id) FROM turns WHERE conversation_id = ?", conversation_id)


def _asked(running: Installation, query: str, value: str | int) -> int:
    with closing(sqlite3.connect(running.folder / "horizonai.db")) as store:
        (found,) = store.execute(query, (value,)).fetchone()
    if found is None:
        raise Failed(f"The store has nothing of {value}.")
    return int(found)


def invite(running: Installation, email: str, *options: str) -> str | None:
    """Invites someone to the console: the link, once; None for one who was invited before."""
    program = str(BIN / "horizonai-whatsapp-bot")
    done = subprocess.run(
        [program, "operator", "invite", email, *options],
        env=running.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else None


def command(running: Installation, program: str, *arguments: str) -> str:
    """Runs a command of the project; what it prints. Raises Failed."""
    return _run(running, [str(BIN / program), *arguments])


def _run(running: Installation, words: list[str]) -> str:
    done = subprocess.run(
        words, env=running.environment, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
    )
    if done.returncode:
        raise Failed(f"`{' '.join(words[-6:])}` ended with exit code {done.returncode}:\n{done.stderr}")
    return done.stdout
