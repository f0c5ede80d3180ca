"""What a turn does about its person's consent (`data.consent`), before anything of theirs reaches a model. Pure.

    required: true    no yes yet ──► asked, once a minute at most ──yes──► recorded; answered with what waited
                                                                 ──no───► recorded and confirmed; asked again once a day
    required: false   the text stands before the first answer
    both              taken back ──► recorded and confirmed; from then on as without a yes

A yes is one to the text that was asked: where the manifest's text changes, it is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from runtime.content.consenting import Consenting, consenting_of
from runtime.content.parts import Text
from runtime.store.messages.consents import REASON, Consent
from runtime.store.messages.outbound_content import OutboundContent
from runtime.store.messages.turns import Turn
from runtime.turns.sending import buttons_of
from schemas.client_language import ClientLanguage, language_of
from schemas.data_policy import ConsentPolicy
from schemas.policy import Policy
from schemas.policy_document import PolicyDocument

Act = Literal["given", "ask", "ask_again", "refused", "revoked"]
"""`given`: a yes is to be recorded; `ask`: nothing was said yet; `ask_again`: after a no."""


class _Sentences(NamedTuple):
    how: str
    """How to answer, where there are no buttons."""
    buttons: tuple[str, str]
    refused: str
    revoked: str


SENTENCES: Final[Mapping[ClientLanguage, _Sentences]] = {
    "es": _Sentences(
        "Responde SÍ para aceptar, o NO.",
        ("Acepto", "No acepto"),
        "Entendido: el asistente no leerá lo que escribes. Si cambias de opinión, responde SÍ.",
        "Retiramos tu consentimiento: desde ahora el asistente no lee lo que escribes. Si cambias de opinión, responde"
        " SÍ.",
    ),
    "pt": _Sentences(
        "Responda SIM para aceitar, ou NÃO.",
        ("Aceito", "Não aceito"),
        "Entendido: o assistente não lerá o que você escreve. Se mudar de ideia, responda SIM.",
        "Retiramos o seu consentimento: a partir de agora o assistente não lê o que você escreve. Se mudar de ideia,"
        " responda SIM.",
    ),
    "en": _Sentences(
        "Reply YES to accept, or NO.",
        ("I accept", "I do not accept"),
        "Understood: the assistant will not read what you write. If you change your mind, reply YES.",
        "We have withdrawn your consent: from now on the assistant does not read what you write. If you change your"
        " mind, reply YES.",
    ),
}


class ConsentStep(NamedTuple):
    """What is due about consent, instead of an answer or, where it is given now, before it."""

    act: Act
    text: str = ""
    """What the person reads."""
    content: OutboundContent | None = None
    """The same with buttons, where there are any."""
    consent: Consent | None = None
    """What is to be recorded."""
    notice: str = ""
    """Under which it is noted that the question was asked."""


def consent_step(turn: Turn, policy: Policy) -> ConsentStep | None:
    """What is due; None where a model may read the messages, or the client asks nothing."""
    block = policy.data.consent if policy.data is not None else None
    if block is None:
        return None
    state, _ = _stated(turn.conversation.consent)
    notice = notice_of(block)
    was_asked = turn.conversation.noticed_at(notice) is not None
    is_read = may_read(turn.conversation.consent, policy)
    said = _said(turn, block, was_asked=was_asked and not is_read)
    sentences = SENTENCES[language_of(policy)]
    if said is not None and said.state == "revoked":
        return ConsentStep("revoked", sentences.revoked, consent=said, notice=notice)
    if is_read:
        return None
    if said is not None and said.state == "yes":
        return ConsentStep("given", consent=said)
    if said is not None:
        return ConsentStep("refused", sentences.refused, consent=said, notice=notice)
    return _question(policy, block, sentences, "ask_again" if state in ("no", "revoked") else "ask")


def may_read(consent: str | None, policy: Policy) -> bool:
    """Whether a model may read what a person writes; `consent`: what stands in their conversation's row."""
    block = policy.data.consent if policy.data is not None else None
    if block is None:
        return True
    state, version = _stated(consent)
    return (state == "yes" and version == block.version) or (not block.required and state != "revoked")


def notice_of(block: ConsentPolicy) -> str:
    """The notice that notes that a text was sent."""
    return f"{REASON}:{block.version}"


def consent_notice(turn: Turn, policy: Policy) -> tuple[str, str] | None:
    """The text of a consent that is not required, with its notice, where the person has not read it yet."""
    block = policy.data.consent if policy.data is not None else None
    if block is None or block.required or turn.conversation.noticed_at(notice_of(block)) is not None:
        return None
    return notice_of(block), block.text


def _stated(consent: str | None) -> tuple[str, str]:
    """What the person last said, and about which version of the text."""
    state, _, rest = (consent or "").partition(" ")
    return state, rest.partition(" ")[0]


def _said(turn: Turn, block: ConsentPolicy, *, was_asked: bool) -> Consent | None:
    """The last that the messages say. A yes or a no is one only where it was asked for."""
    found: Consent | None = None
    for message in turn.messages:
        said: Consenting | None = consenting_of(message.content, block.yes_words or ())
        if said == "revoked" or (said is not None and was_asked):
            by = "word" if isinstance(message.content.parts[0], Text) else "button"
            found = Consent(said, block.version, "word" if by == "word" else "button", message.inbox_id, block.text)
    return found


def _question(policy: Policy, block: ConsentPolicy, sentences: _Sentences, act: Act) -> ConsentStep:
    offered = buttons_of(block.text, sentences.buttons, policy) if isinstance(policy, PolicyDocument) else None
    text = block.text if offered is not None else f"{block.text}\n\n{sentences.how}"
    return ConsentStep(act, text, offered, notice=notice_of(block))
