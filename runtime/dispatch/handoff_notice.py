"""What people read who are notified of a handoff: who waits, why, a summary, how to answer; in an e-mail also what was
said. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from runtime.observability.logs import masked_user
from runtime.store.messages.handoffs import NO_SUMMARY
from runtime.store.messages.threads import ConversationSummary, Thread, ThreadMessage

MESSAGES: Final = 30
"""Of the conversation, in an e-mail."""
LONGEST: Final = 600
"""Characters of one of them."""
CAUSES: Final = {
    "asked": "pidió hablar con una persona",
    "model": "el asistente la deriva",
    "failures": "el asistente no pudo responder varias veces seguidas",
    "budget": "el presupuesto del mes se agotó",
}


def notice_text(
    name: str, thread: Thread, zone: str, *, with_thread: bool, is_escalation: bool = False
) -> tuple[str, str]:
    """Title and text. `name`: the bot's."""
    conversation = thread.conversation
    who = f"{conversation.name or 'Una persona'} ({masked_user(conversation.user)})"
    title = f"{name}: nadie ha respondido aún" if is_escalation else f"{name}: una persona espera respuesta"
    lines = [
        f"{who}: {CAUSES.get(conversation.reason or '', conversation.reason or 'la tiene una persona')}.",
        *_summary(thread),
        "",
        f"Conversación {conversation.id}. Para responder:",
        f'  horizonai-whatsapp-bot conversations reply {conversation.id} "…"',
        *_until(conversation, zone),
    ]
    if with_thread:
        lines += ["", "Conversación:", *(_line(message, zone, conversation) for message in thread.messages[-MESSAGES:])]
    return title, "\n".join(lines)


def _summary(thread: Thread) -> Iterator[str]:
    """The summary, or why there is none; else the last thing that the user wrote."""
    summary = thread.conversation.summary
    if summary:
        yield summary if summary.startswith(NO_SUMMARY) else f"Resumen: {' '.join(summary.split())}"
        return
    said = [message.text for message in thread.messages if message.direction == "in"]
    if said:
        yield f"Escribió {len(said)} mensajes; el último: «{_cut(said[-1])}»"


def _until(conversation: ConversationSummary, zone: str) -> Iterator[str]:
    if conversation.until is None:
        yield "El asistente no vuelve a responder hasta que alguien le devuelva la conversación."
    else:
        yield f"El asistente vuelve a responder a las {_clock(conversation.until, zone)} si nadie escribe."


def _line(message: ThreadMessage, zone: str, conversation: ConversationSummary) -> str:
    by = {"user": conversation.name or "Persona", "assistant": "Asistente", "notice": "Aviso"}
    state = " [no enviado]" if message.state in ("failed", "withheld") else ""
    return f"[{_clock(message.at, zone)}] {by.get(message.author, message.author)}{state}: {_cut(message.text)}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


def _clock(moment: str, zone: str) -> str:
    at = datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))
    return f"{at.hour}:{at.minute:02}"
