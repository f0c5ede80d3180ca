"""An object of ours that another tool has marked as its own since: it is not written to, and never deleted."""

from __future__ import annotations

from tests.reconciler.agency import Agency
from tests.reconciler.kitchen import MENU, declare, store

THEIRS = {"metadata": {"managed-by": "terraform"}}
ASSISTANTS = {"engine": "assistants"}


def test_a_live_assistant(agency: Agency) -> None:
    agency.declare("el-viejo", assistant=ASSISTANTS)
    agency.apply()
    [live] = agency.assistants()
    agency.openai("POST", f"/assistants/{live['id']}", THEIRS)
    agency.declare("el-viejo", assistant={**ASSISTANTS, "instructions": "Eres breve."})
    said = (
        f"error: el-viejo: assistant: the assistant '{live['id']}' has the marker of 'terraform' and is left unchanged"
    )
    assert said in agency.reconcile("--yes").out
    agency.declare("el-viejo")
    agency.apply()
    [left] = agency.assistants()
    assert (left["id"], left["instructions"], left["metadata"]) == (
        live["id"],
        live["instructions"],
        THEIRS["metadata"],
    )
    assert agency.changes() == []


def test_a_vector_store(kitchen: Agency) -> None:
    theirs = store(kitchen)["id"]
    kitchen.openai("POST", f"/vector_stores/{theirs}", THEIRS)
    kitchen.document(MENU, "Empanadas a 3900 pesos.")
    declare(kitchen, MENU)
    said = (
        f"error: la-cocina: knowledge: the vector store '{theirs}' has the marker of 'terraform' and is left unchanged"
    )
    assert said in kitchen.reconcile("--yes").out
    kitchen.declare("la-cocina")
    kitchen.apply()
    assert (store(kitchen)["metadata"], len(kitchen.uploads())) == (THEIRS["metadata"], 2)
