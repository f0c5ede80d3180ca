"""The block `data:` of a manifest: which of people's data are sensitive, whether they are asked before a model reads
them, and how long what they wrote is kept.

Nothing is deleted unless it is declared.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag

from schemas.canary import Day
from schemas.strict import Strict

Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}(h|d|mo)$")]
_SECONDS: Final = {"h": 3600, "d": 86_400, "mo": 30 * 86_400}

SENSITIVE: Final[Mapping[str, str]] = {
    "health": "salud",
    "biometric": "datos biométricos",
    "genetic": "datos genéticos",
    "ethnic_origin": "origen étnico o racial",
    "political": "afiliación u opiniones políticas",
    "union": "afiliación sindical",
    "beliefs": "creencias religiosas o filosóficas",
    "sexual_life": "vida sexual, orientación e identidad de género",
    "socioeconomic": "situación socioeconómica",
}
"""What Chile's Ley 19.628, article 2 g, as reformed by Ley 21.719, calls sensitive data, in English and Spanish."""

SensitiveData = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,39}$")]
"""One of SENSITIVE, which `reconcile validate` checks. Any name here: with an enumeration a program that does not know
a newer name would ignore the whole block in a bot's row, and with it what protects the data."""

RecipientName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+:\[\]-]{0,252}$")]

ConsentWord = Annotated[str, StringConstraints(min_length=2, max_length=40)]

MediaRetention = Annotated[
    Annotated[Literal[0], Tag("int")] | Annotated[Duration, Tag("duration")],
    Discriminator(lambda value: "int" if value == 0 and not isinstance(value, bool) else "duration"),
]
"""The number 0, or a duration."""


MESSAGES_SECONDS: Final = 2 * 86_400
"""The shortest retention of messages: Twilio is asked for messages of the last day whose webhook never arrived, and
those that were deleted here would be taken for such."""
USAGE_SECONDS: Final = 90 * 86_400
"""The shortest retention of the ledger's rows: the bills of the last months are compared with them."""
CONSENT_LIMIT: Final = 900
"""Characters of what people are asked, which is one message with the line that says how to answer."""


class Retention(Strict):
    """How long what people write and send is kept."""

    messages: Duration | None = Field(
        default=None,
        description=(
            "How long messages are kept, with their answers, notes, what the model remembers of them, and who wrote "
            "them once nothing else of the person is left: a number and h, d or mo (30 days), 2d at least. What is not "
            "answered or settled yet is kept. Without this they are kept for ever."
        ),
        examples=["180d"],
    )
    media: MediaRetention | None = Field(
        default=None,
        description=(
            "How long after a voice note, picture or document arrived Twilio's copy of it is deleted, which is the "
            "only one: a number and h, d or mo (30 days), or 0 for once a turn has used it. Holds for files that are "
            "there already. Without this it is kept."
        ),
        examples=["7d", 0],
    )
    transcripts: Duration | None = Field(
        default=None,
        description=(
            "How long what was said in voice notes is kept, where that is shorter than messages: in the message and "
            "in what the model remembers."
        ),
        examples=["30d"],
    )
    dead_letters: Duration | None = Field(
        default=None,
        description=(
            "How long turns are kept that failed for good and were dropped; as messages without it. One that is "
            "neither retried nor dropped is kept."
        ),
        examples=["30d"],
    )
    usage: Duration | None = Field(
        default=None,
        description=(
            "How long the ledger has a row for each message and each use of a model, 90d at least. Then a month has "
            "one row for each price, so that every sum stays as it was."
        ),
        examples=["24mo"],
    )
    at_twilio: bool | None = Field(
        default=None,
        description=(
            "Whether Twilio's own copies of messages and answers are deleted with ours; they are kept unless true."
        ),
        examples=[True],
    )


class ConsentPolicy(Strict):
    """What people are asked, or read, about their data."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=CONSENT_LIMIT)] = Field(
        description=(
            "What people are asked, or read. Where it is changed, it is asked again: a yes was one to other words."
        ),
        examples=["Usamos un asistente automático para responderte. ¿Aceptas que lea lo que nos escribes?"],
    )
    required: bool = Field(
        default=True,
        description=(
            "true: no model, nor a transcription, gets anything of a person before they said yes. false: the text "
            "stands before their first answer, and nothing is asked."
        ),
        examples=[True],
    )
    yes_words: Annotated[list[ConsentWord], Field(max_length=20)] | None = Field(
        default=None,
        description="Further words that are a yes as a whole message, besides sí, acepto, de acuerdo and their like.",
        examples=[["dale"]],
    )

    @property
    def version(self) -> str:
        """Of the text: the first digits of its hash."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


class Leave(Strict):
    """The client's leave to pass data on to a recipient. What it says is for people; nothing else depends on it."""

    contract: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Where the client has given it in writing: a contract, an annex, a letter.",
        examples=["Anexo de encargo, punto 4"],
    )
    since: Day = Field(description="The day from which it holds, in quotes.", examples=["2026-11-01"])


_LEAVES: Final[dict[tuple[str, str], Leave]] = {}


def _shared(leaves: dict[str, Leave]) -> dict[str, Leave]:
    """One object for all that say the same: each client has half a dozen, and those of an agency's clients are alike.
    Of 10,000 clients they took 30 MB."""
    return {name: _LEAVES.setdefault((leave.contract, leave.since), leave) for name, leave in leaves.items()}


class DataPolicy(Strict):
    """How people's data are treated."""

    sensitive: Annotated[list[SensitiveData], Field(max_length=len(SENSITIVE))] | None = Field(
        default=None,
        description=(
            f"Sensitive data that people write about here: {', '.join(SENSITIVE)}. Where there is any, Twilio is never "
            "asked to show that an answer is being written: its API for it is not for such data."
        ),
        examples=[["health"]],
    )
    minors: bool | None = Field(
        default=None,
        description="Whether children under 14 write here; what sensitive data need is then needed too.",
        examples=[False],
    )
    consent: ConsentPolicy | None = Field(
        default=None,
        description="What people are asked before a model reads what they write, or read with their first answer.",
        examples=[{"text": "¿Aceptas que un asistente automático lea lo que escribes?", "required": True}],
    )
    replay: bool | None = Field(
        default=None,
        description=(
            "Whether recent questions may be tried again with another assistant (`reconcile compare ID --recent`): "
            "without names and numbers, once a person has read them. Not unless true, and never with sensitive or "
            "minors."
        ),
        examples=[True],
    )
    retention: Retention | None = Field(
        default=None,
        description="What is deleted, and when; nothing without it.",
        examples=[{"messages": "180d", "media": "7d"}],
    )
    blocked: Literal["store", "discard"] | None = Field(
        default=None,
        description=(
            "How what a blocked person writes is treated: it is stored, read by no one, or discarded as it comes in, "
            "but for when it came. Stored unless `discard`. Twilio keeps its copy either way."
        ),
        examples=["discard"],
    )
    recipients: Annotated[dict[RecipientName, Leave], Field(max_length=100), AfterValidator(_shared)] | None = Field(
        default=None,
        description=(
            "The client's leave for each recipient of people's data, by the name that the plan has for it: a host, an "
            "address, or openai, twilio, meta, hosting, ALERT_NOTIFY, which come with the service. What has none is "
            "listed in each plan; of these with a new client, and then only where this key is there, {} included. It "
            "is not stored with the bot."
        ),
        examples=[{"api.lacocina.cl": {"contract": "Anexo de encargo, punto 4", "since": "2026-11-01"}}],
    )

    @property
    def is_tight(self) -> bool:
        """Whether people write about what the law protects more than the rest."""
        return bool(self.sensitive) or bool(self.minors)


def seconds_of(duration: Duration) -> int:
    """The seconds of a duration such as `30d`."""
    digits = duration.rstrip("dhmo")
    return int(digits) * _SECONDS[duration[len(digits) :]]
