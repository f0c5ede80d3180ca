"""A new client's manifest before it is a file: one value checked at a time, and the commented text that is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from reconciler.manifest.checks import check
from reconciler.manifest.defaults import FILLER, merge
from reconciler.manifest.emit import to_yaml
from reconciler.manifest.explain import explain, relevant
from reconciler.manifest.shape import Loc, follow
from schemas import Client

_OPTIONS = """\
  # engine: responses # responses | agents | assistants
  # reasoning_effort: none # none | minimal | low | medium | high | xhigh | max
  # max_output_tokens: 800
  # tools:
  #   - type: web_search
  #   - type: function
  #     name: crear_reserva
  #     description: Crea una reserva
  #     parameters:
  #       type: object
  #       properties:
  #         personas: { type: integer }
  #       required: [personas]
  #     endpoint:
  #       url: https://api.example.cl/reservas
  #       secret: { env: HOOK_SECRET } # the name of an environment variable, never the secret
  #       user: masked # tells the endpoint who writes; masked | full
"""
_DOCUMENTS = """\
  #   - type: file_search # documents kept in git are `files: [mi-cliente/carta.pdf]` instead
  #     vector_store: vs_68f0c2a91d3c8191a1b2c3d4e5f60718
"""
_REST = """
# sender:
#   profile:
#     about: Respondemos por WhatsApp
#     vertical: Restaurant # one of WhatsApp's closed list
#     emails: [hola@example.cl]
#     websites: ["https://example.cl"]

# memory: # how much of a conversation is sent along with a message
#   items: 60
#   tokens: 16000
#   expires_after: 30d # a longer silence begins it over; h, d or mo
#   reset_words: [reiniciar] # so does one of these words alone
# timezone: America/Santiago # of the number's country without it
# media: { not_understood: Por ahora solo puedo leer mensajes de texto. } # said to who sends files without a word
# context: { now: true, name: true, phone: masked } # what the model gets; phone: none | masked | full

# fallback_message: Tuvimos un problema técnico. Te responderemos a la brevedad.
# protected: true # refuse to delete this client
"""


@dataclass(frozen=True, slots=True)
class NewManifest:
    """The values of a new manifest."""

    id: str
    name: str
    number: str
    model: str | None
    """None when `_defaults.yaml` gives it."""
    instructions: str | Mapping[str, str]
    """The prompt, or {"file": path}."""
    engine: str
    created: str
    """The day, "2026-11-22"."""


def problem_with(loc: Loc, value: Any) -> str | None:
    """The problem with one value of a manifest, in a sentence or two; None when it is valid."""
    part = value
    for key in reversed(loc):
        part = {key: part}
    try:
        Client.model_validate(merge(FILLER, part))
    except ValidationError as invalid:
        for error in relevant(invalid.errors(include_url=False)):
            spot = follow(error["loc"])
            if spot.loc[: len(loc)] == loc:
                return "{}. {}".format(*explain(error, spot, str(value)))
        return None
    violations = (
        violation for violation in check(part) if violation.loc[: len(loc)] == loc and violation.severity == "error"
    )
    return next((f"{violation.message}. {violation.hint}" for violation in violations), None)


def draft_text(draft: NewManifest) -> str:
    """The manifest, with all other keys as comments that need only their `# ` removed."""
    head = to_yaml({"id": draft.id, "name": draft.name, "number": draft.number})
    assistant: dict[str, Any] = {} if draft.model is None else {"model": draft.model}
    assistant["instructions"] = draft.instructions
    if draft.engine != "responses":
        assistant["engine"] = draft.engine
    lines = [f"  {line}".rstrip() for line in to_yaml(assistant).splitlines()]
    options = _OPTIONS + _DOCUMENTS if draft.engine == "responses" else _OPTIONS.split("\n", 1)[1]
    notes = to_yaml({"metadata": {"cliente": draft.name, "fecha_creacion": draft.created}})
    return (
        "# yaml-language-server: $schema=../schemas/client.schema.json\n"
        f"{head}# state: paused # active | paused | absent\n\n"
        "assistant:\n" + "\n".join(lines) + f"\n{options}{_REST}\n{notes}"
    )
