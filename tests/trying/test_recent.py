"""Recent questions of a client, asked of two versions of its assistant: only where the manifest allows it, without who
wrote them, and once a person has read them."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.forked import ROOT
from tests.pseudo_terminal import Terminal
from tests.reconciler.agency import Agency
from tests.reconciler.test_far_store import distant, far
from tests.runtime_process import Runtime, inbound_fields, signed_webhook

__all__ = ["distant", "far"]
OPEN = {"replay": True}


def written(agency: Agency, runtime: Runtime, client: str, text: str, **keys: Any) -> None:
    """A client whose person wrote something that was answered."""
    agency.declare(client, **keys)
    agency.apply()
    # A turn has ended once its answer is in the webhook's.
    answer = signed_webhook(runtime, inbound_fields(agency.number(client), text, ProfileName="Ana Pérez"))
    assert b"<Message" in answer.body, answer


def asking(agency: Agency, client: str, **settings: str) -> Terminal:
    """A person's terminal with the comparison."""
    environment = {**agency.environment, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200", **settings}
    command = [sys.executable, "-m", "reconciler.cli", "compare", client, "--model", "gpt-5.6-luna", "--recent", "5"]
    return Terminal(command, agency.folder, environment)


def asked(agency: Agency) -> int:
    """How many answers were requested so far."""
    return len(agency.sandbox.calls("openai", "POST", "/v1/responses"))


@pytest.fixture(scope="module")
def reading(distant: Runtime) -> str:
    """A token that may read what people wrote."""
    made = distant.command("token", "create", "replays", "--scope", "read", "--scope", "messages")
    assert made.code == 0, made.err
    return made.out.split()[-1]


def test_questions_leave_once_a_person_has_read_them(far: Agency, distant: Runtime, reading: str) -> None:
    written(far, distant, "uno", "Soy Ana, mi fono es +56 9 8765 4321. ¿Abren hoy?", data=OPEN)
    before = asked(far)
    with asking(far, "uno", API_TOKEN=reading) as terminal:
        terminal.answer("Is there nothing of a person in them?", "n")
        assert terminal.finish() == 1
        assert "  person: Soy NombreA, mi fono es +10 0 0000 0001. ¿Abren hoy?" in terminal.shown
        assert asked(far) == before
    with asking(far, "uno", API_TOKEN=reading) as terminal:
        terminal.answer("Is there nothing of a person in them?", "y")
        assert terminal.finish() == 0, terminal.shown
        assert "uno: gpt\\-6\\-luna and gpt\\-5\\.6\\-luna" in terminal.shown
    assert asked(far) > before
    bodies = [str(entry["body"]) for entry in far.sandbox.calls("openai", "POST", "/v1/responses")[before:]]
    assert bodies
    assert not [body for body in bodies if "8765" in body or "Ana" in body]
    assert not (far.folder / "clients.d" / "uno").exists()


@pytest.mark.long
def test_they_are_read_by_sql_where_the_store_is_near(far: Agency, distant: Runtime) -> None:
    written(far, distant, "uno", "¿Abren hoy?", data=OPEN)
    with asking(far, "uno", BOT_STORE_URL=f"sqlite:///{distant.folder}/runtime.db") as terminal:
        terminal.answer("Is there nothing of a person in them?", "y")
        assert terminal.finish() == 0, terminal.shown


def test_a_token_without_the_scope_messages_reads_none(far: Agency, distant: Runtime) -> None:
    written(far, distant, "uno", "¿Abren hoy?", data=OPEN)
    with asking(far, "uno") as terminal:
        assert terminal.finish() == 1
        assert "messages" in terminal.shown
        assert "Abren" not in terminal.shown


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "does not allow that recent questions are tried again. Add `data: {replay: true}`"),
        (
            {"sensitive": ["health"], "retention": {"messages": "180d", "media": "7d"}},
            "declares sensitive data (`data.sensitive`, `data.minors`)",
        ),
    ],
)
def test_the_manifest_decides_before_the_store_is_asked(agency: Agency, data: dict[str, object], said: str) -> None:
    agency.declare("uno", data=data)
    with asking(agency, "uno") as terminal:
        assert terminal.finish() == 1
        assert said in terminal.shown.replace("\n", " ")


@pytest.mark.long
def test_what_is_applied_decides_too(far: Agency, distant: Runtime, reading: str) -> None:
    written(far, distant, "uno", "¿Abren hoy?")
    far.declare("uno", data=OPEN)
    with asking(far, "uno", API_TOKEN=reading) as terminal:
        assert terminal.finish() == 1
        assert "in it does, once it is applied." in terminal.shown.replace("\n", " ")


def test_without_a_terminal_nothing_is_asked(agency: Agency) -> None:
    agency.declare("uno", data=OPEN)
    result = agency.reconcile("compare", "uno", "--model", "gpt-5.6-luna", "--recent", "5")
    assert "A person reads recent questions before they leave: run this on a terminal." in result.err
