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
  # fallback_model: gpt-5.6-luna # answers when the model is not available any more
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
_DATA = """
data:
  retention: { messages: 180d, media: 7d, transcripts: 30d, dead_letters: 30d } # older is deleted; h, d or mo
  # sensitive: [] # [health] where people write about their health; more is needed then, and web_search is refused
  # blocked: discard # what a blocked person writes is not even stored
  # consent: { text: "¿Aceptas que un asistente automático lea lo que escribes?", required: true } # asked first
"""
"""Without it nothing is ever deleted."""
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
# media: # what people send besides words; what the engine reads is read without this
#   voice: { max_minutes: 5, languages: [es], keywords: [cazuela] } # transcribed; false turns it off
{read}#   sentences: { video: Por ahora no puedo ver videos. ¿Me envías una foto? } # said to who sends what is not read
{sent}# budget: { monthly: 40, warn_at: [50, 80], on_exceeded: pause } # USD; notify | pause | cheaper_model
# handoff: { notify: [turno@example.cl], resume_after: 4h } # people answer who asks for one; notified by e-mail
# context: { now: true, name: true, phone: masked } # what the model gets; phone: none | masked | full
# replies: { one_message: true, no_reply: true, typing: false{buttons}, disclosure: Soy un asistente virtual. }
# hours: { lun-vie: ["09:00-13:00", "14:30-18:30"], holidays: CL, outside: say } # outside: answer | say | away
# opt_out: { words: [no molestar] } # besides STOP and BAJA

# templates: # messages for after 24 hours of silence; Meta approves each one
#   retomar: { language: es, category: utility, body: "Tenemos una respuesta para ti. Responde para leerla." }
# window: { reopen_with: retomar, expires_after: 24h } # how a message of ours gets to a person who was silent

# tests: { saluda: { conversation: [{ say: Hola, expect: { max_chars: 400, language: es } }] } } # for reconcile test
# fallback_message: Tuvimos un problema técnico. Te responderemos a la brevedad.
# protected: true # refuse to delete this client
"""

_READ = """\
#   images: { detail: low } # low | high | auto; high costs more and reads small print
#   documents: { max_pages: 20 }
"""
"""What only an assistant of the Responses API is given."""
_SENT = """\
#   places: # what the assistant may send; documents and pictures are `files: { menu: mi-cliente/menu.pdf }`
#     local: { latitude: -33.4515, longitude: -70.6253, name: Mi local, address: Av. Italia 1234 }
"""
"""What an assistant of the Assistants API cannot send."""


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
    reads, sends = draft.engine == "responses", draft.engine != "assistants"
    rest = _REST.replace("{read}", _READ if reads else "").replace("{sent}", _SENT if sends else "")
    rest = rest.replace("{buttons}", ", buttons: true" if sends else "")
    notes = to_yaml({"metadata": {"cliente": draft.name, "fecha_creacion": draft.created}})
    return (
        "# yaml-language-server: $schema=../schemas/client.schema.json\n"
        f"{head}# state: paused # active | paused | absent\n\n"
        "assistant:\n" + "\n".join(lines) + f"\n{options}{_DATA}{rest}\n{notes}"
    )
