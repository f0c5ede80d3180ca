"""Cases for the tests, and what is left at OpenAI."""

from __future__ import annotations

from typing import Any

from tests.reconciler.agency import Agency
from tests.sandbox_process import Json

RESERVE: Json = {
    "type": "function",
    "name": "crear_reserva",
    "description": "Crea una reserva",
    "parameters": {
        "type": "object",
        "properties": {"personas": {"type": "integer"}},
        "required": ["personas"],
    },
    "endpoint": {"url": "https://api.example.cl/reservas"},
}


def asked(say: Any, expect: Json | None = None, **case: Any) -> Json:
    """A case of one exchange."""
    return {"conversation": [{"say": say, "expect": expect or {"max_chars": 1000}}], **case}


def tried(agency: Agency, *arguments: str, **environment: str | None) -> Json:
    """`reconcile test` as JSON."""
    result = agency.reconcile("test", "--format", "json", *arguments, **environment)
    document = result.document
    assert result.code == document["exit_code"], result.said
    return document


def states(document: Json) -> dict[str, str]:
    """State by case."""
    return {case["name"]: case["state"] for case in document["cases"]}


def reasons(document: Json, name: str) -> list[str]:
    """Why a case is not green."""
    return [reason for case in document["cases"] if case["name"] == name for reason in case["reasons"]]


def calls_of_the_model(agency: Agency) -> int:
    """Number of calls of POST /responses that the sandbox has got."""
    return sum(entry["path"].endswith("/responses") for entry in agency.sandbox.ledger(kind="call"))


def left_at_openai(agency: Agency) -> tuple[list[str], list[Json]]:
    """Files, and vector stores."""
    return agency.uploads(), agency.openai("GET", "/vector_stores")["data"]
