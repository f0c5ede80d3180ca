"""The part of a manifest that configures how the runtime answers, and its way there: as the JSON column `policy` of a
bot.

    manifest ──► Policy ──► {"version": 1, "memory": {…}} ──► bot's row ──► PolicyDocument ──► turn
                 strict      `document_of`                                  `read_document`, lenient

A new key is one field of `Policy`: it is then a key of the manifest and of the column, is planned and compared, and
every replica reads it. Writing validates the whole model. Reading takes what it knows, since a newer program may have
written the row: while a release rolls out, old and new replicas answer from the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from schemas.strict import Strict
from schemas.timezones import is_zone

VERSION: Final = 1
"""Of the document's form. A key that is added leaves it as it is. What a key means is never changed: it gets another
name, or, where an older program must not run without it, the store gets another generation."""


def _known_zone(name: str) -> str:
    if not is_zone(name):
        raise PydanticCustomError("time_zone", "is not a time zone of the tz database")
    return name


Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}(h|d|mo)$")]
ResetWord = Annotated[str, StringConstraints(min_length=2, max_length=40)]
_SECONDS: Final = {"h": 3600, "d": 86_400, "mo": 30 * 86_400}

Timezone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_known_zone)]
"""A name of the tz database."""


class MessageContext(Strict):
    """What the model gets with each message about the time and the person."""

    now: bool | None = Field(
        default=None, description="Date, weekday, time and zone; sent unless false.", examples=[True]
    )
    name: bool | None = Field(
        default=None,
        description="The name in the person's WhatsApp profile, which they chose; sent unless false.",
        examples=[True],
    )
    phone: Literal["none", "masked", "full"] | None = Field(
        default=None, description="The person's number; masked (+569****5678) without it.", examples=["masked"]
    )


class Memory(Strict):
    """How much of a conversation is sent along with a message."""

    items: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Messages, calls of functions and their results, at most; the setting MEMORY_ITEMS without it.",
        examples=[60],
    )
    tokens: int | None = Field(
        default=None,
        ge=100,
        le=1_000_000,
        description="Their estimated size, at most; the setting MEMORY_TOKENS without it.",
        examples=[16_000],
    )
    expires_after: Duration | None = Field(
        default=None,
        description=(
            "After a silence longer than this the conversation begins over: nothing said before is sent along. A "
            "number and h, d or mo (30 days). Without it, old messages are sent with their dates."
        ),
        examples=["30d"],
    )
    reset_words: Annotated[list[ResetWord], Field(max_length=20)] | None = Field(
        default=None,
        description="A message that is one of these words, and nothing else, begins the conversation over.",
        examples=[["reiniciar"]],
    )


class MediaPolicy(Strict):
    """How files that people send are answered."""

    not_understood: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description=(
            "What a person reads who sends voice notes, pictures or other files without a word, once for those of a "
            "minute; the setting NOT_UNDERSTOOD_MESSAGE without it."
        ),
        examples=["Por ahora solo puedo leer mensajes de texto."],
    )


class Policy(Strict):
    """How the runtime answers for one client, where that differs from the installation's settings."""

    memory: Memory | None = Field(
        default=None,
        description=(
            "How much of a conversation is sent along with a message. An agent gets it as a recap when its session is "
            "a new one; the engine assistants keeps its own."
        ),
        examples=[{"items": 60, "tokens": 16_000}],
    )
    timezone: Timezone | None = Field(
        default=None,
        description=(
            "The client's time zone, a name of the tz database. Without it that of the number's country, where it has "
            "one; else the setting TIMEZONE."
        ),
        examples=["America/Santiago"],
    )
    context: MessageContext | None = Field(
        default=None,
        description=(
            "What the model gets with each message about the time and the person, in a note of at most 600 "
            "characters that is not remembered. No note at all where all three are off."
        ),
        examples=[{"now": True, "name": True, "phone": "masked"}],
    )
    media: MediaPolicy | None = Field(
        default=None,
        description="Files that people send.",
        examples=[{"not_understood": "Por ahora solo puedo leer mensajes de texto."}],
    )


class PolicyDocument(Policy):
    """A policy as it is stored in a bot's row."""

    version: Literal[1] = VERSION


@dataclass(frozen=True, slots=True)
class PolicyReading:
    """What this program understands of a bot's row."""

    policy: Policy
    ignored: tuple[str, ...] = ()
    """Keys that are not known here or do not fit, as dotted paths."""


def seconds_of(duration: Duration) -> int:
    """The seconds of a duration such as `30d`."""
    digits = duration.rstrip("dhmo")
    return int(digits) * _SECONDS[duration[len(digits) :]]


def keys_of(policy: Policy) -> dict[str, Any]:
    """A policy's values as JSON by key; {} when it sets nothing."""
    said = policy.model_dump(mode="json", include=set(Policy.model_fields), exclude_none=True)
    return {key: value for key, value in said.items() if value != {}}


def document_of(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The result of `keys_of`, as it is stored in a bot's row."""
    return {"version": VERSION, **keys} if keys else {}


def keys_of_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """The keys in a bot's row, as `keys_of` gives those of a manifest; another version than ours is one of them."""
    return {
        key: value
        for key, value in document.items()
        if value not in (None, {}) and (key, value) != ("version", VERSION)
    }


def checked_document(document: dict[str, Any]) -> dict[str, Any]:
    """The document as it is. Raises ValueError that names a known key whose value does not fit; a newer program's keys
    are accepted."""
    try:
        PolicyDocument.model_validate(document, extra="ignore")
    except ValidationError as invalid:
        problem = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    return document


def read_document(document: Mapping[str, Any]) -> PolicyReading:
    """What can be used of a bot's row: every known key whose value fits, without what is unknown inside it."""
    try:
        return PolicyReading(PolicyDocument.model_validate(document))
    except ValidationError as invalid:
        problems = invalid.errors(include_url=False, include_context=False, include_input=False)
    unfit = {str(problem["loc"][0]) for problem in problems if problem["type"] != "extra_forbidden"}
    unknown = {".".join(map(str, problem["loc"])) for problem in problems if problem["type"] == "extra_forbidden"}
    ignored = tuple(sorted(unfit | {path for path in unknown if path.split(".")[0] not in unfit}))
    if "version" in unfit:
        return PolicyReading(Policy(), ignored)
    usable = {key: value for key, value in document.items() if key not in unfit}
    return PolicyReading(PolicyDocument.model_validate(usable, extra="ignore"), ignored)
