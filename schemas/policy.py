"""The part of a manifest that configures how the runtime answers, and its way there: as the JSON column `policy` of a
bot.

    manifest ──► Policy ──► {"version": 1, "memory": {…}} ──► bot's row ──► PolicyDocument ──► turn
                 strict      `document_of`                                  `read_document`, lenient
                                                                            (`schemas.policy_document`)

A new key is one field of `Policy`: it is then a key of the manifest and of the column, is planned and compared, and
every replica reads it. Writing validates the whole model. Reading takes what it knows, since a newer program may have
written the row: while a release rolls out, old and new replicas answer from the same rows.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

from schemas.data_policy import DataPolicy, Duration
from schemas.handoff import HandoffPolicy
from schemas.hours import Hours
from schemas.iso_codes import Currency
from schemas.strict import Strict
from schemas.templates import MAX_TEMPLATES, Template, TemplateName, Window
from schemas.timezones import is_zone

VERSION: Final = 1
"""Of the document's form. A key that is added leaves it as it is. What a key means is never changed: it gets another
name, or, where an older program must not run without it, the store gets another generation."""


def _known_zone(name: str) -> str:
    if not is_zone(name):
        raise PydanticCustomError("time_zone", "is not a time zone of the tz database")
    return name


ResetWord = Annotated[str, StringConstraints(min_length=2, max_length=40)]

RelativePath = Annotated[str, StringConstraints(pattern=r"^[^/\\\s][^\\]*$", max_length=512)]
ThingName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""What a model calls a declared file or place."""

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


class Place(Strict):
    """A place that the assistant may send, which WhatsApp shows on a map."""

    latitude: float = Field(ge=-90, le=90, description="Degrees north of the equator.", examples=[-33.4515])
    longitude: float = Field(ge=-180, le=180, description="Degrees east of Greenwich.", examples=[-70.6253])
    name: str = Field(min_length=1, max_length=100, description="What the place is called.", examples=["La Cocina"])
    address: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Its address, in one line.",
        examples=["Av. Italia 1234, Providencia"],
    )


Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Keyword = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
MAX_MINUTES: Final = 5
MAX_PAGES: Final = 20


def _is_within_a_thousand(keywords: list[str]) -> list[str]:
    if sum(map(len, keywords)) > 1_000:
        raise PydanticCustomError("keywords", "have more than 1,000 characters together")
    return keywords


class VoicePolicy(Strict):
    """Voice notes and audio files, which are transcribed."""

    max_minutes: int | None = Field(
        default=None,
        ge=1,
        le=60,
        description=f"Longest one that is transcribed; {MAX_MINUTES} without it.",
        examples=[5],
    )
    languages: Annotated[list[Language], Field(min_length=1, max_length=5)] | None = Field(
        default=None,
        description=(
            "Languages that people speak, as ISO 639-1; whichever is heard without it. The first one of es, en and pt "
            "is also that of the built-in sentences about files that cannot be read."
        ),
        examples=[["es"]],
    )
    keywords: Annotated[list[Keyword], Field(max_length=100), AfterValidator(_is_within_a_thousand)] | None = Field(
        default=None,
        description="Names that people say: dishes, people, streets. At most 1,000 characters together.",
        examples=[["cazuela", "charquicán"]],
    )


class ImagesPolicy(Strict):
    """Pictures, which the model sees in the turn in which they come."""

    detail: Literal["low", "high", "auto"] | None = Field(
        default=None,
        description="How closely they are looked at: high costs more and reads small print; low without it.",
        examples=["low"],
    )


class DocumentsPolicy(Strict):
    """PDF, docx, xlsx, pptx, txt and csv, which the model reads in the turn in which they come."""

    max_pages: int | None = Field(
        default=None, ge=1, le=100, description=f"Longest PDF that is read; {MAX_PAGES} without it.", examples=[20]
    )


class MediaSentences(Strict):
    """What a person reads who sends nothing but files that cannot be read, where the built-in words do not fit."""

    voice: Sentence | None = Field(
        default=None, description="A voice note where voice is off.", examples=["Por ahora no puedo escuchar audios."]
    )
    images: Sentence | None = Field(
        default=None, description="A picture where images are off.", examples=["Por ahora no puedo ver fotos."]
    )
    documents: Sentence | None = Field(
        default=None,
        description="A document where documents are off.",
        examples=["Por ahora no puedo abrir documentos."],
    )
    video: Sentence | None = Field(
        default=None, description="A video.", examples=["Por ahora no puedo ver videos. ¿Me envías una foto?"]
    )
    not_heard: Sentence | None = Field(
        default=None,
        description="A voice note in which nothing was recognised.",
        examples=["No te escuché bien. ¿Me lo repites, por favor?"],
    )
    too_long: Sentence | None = Field(
        default=None,
        description="A voice note of more than max_minutes; {minutes} becomes that number.",
        examples=["Tu audio dura más de {minutes} minutos. ¿Me lo resumes, por favor?"],
    )
    too_many_pages: Sentence | None = Field(
        default=None,
        description="A document of more than max_pages; {pages} becomes that number.",
        examples=["Tu documento tiene más de {pages} páginas. ¿Me envías solo las que importan?"],
    )
    too_large: Sentence | None = Field(
        default=None, description="A file of too many bytes.", examples=["Tu archivo es muy grande para mí."]
    )
    not_supported: Sentence | None = Field(
        default=None,
        description="A file of a format that is not read.",
        examples=["No puedo abrir ese tipo de archivo. ¿Me lo envías como PDF o foto?"],
    )
    unreadable: Sentence | None = Field(
        default=None, description="A damaged or locked file.", examples=["No pude abrir tu archivo."]
    )
    not_fetched: Sentence | None = Field(
        default=None, description="A file that did not arrive.", examples=["No me llegó bien. ¿Me lo envías de nuevo?"]
    )


def _switch(rules: str) -> Discriminator:
    """Tells true and false from a mapping, so that an error is reported of the one that was meant."""
    return Discriminator(lambda value: "bool" if isinstance(value, bool) else rules)


Flag = Annotated[bool, Tag("bool")]
Voice = Annotated[Annotated[VoicePolicy, Tag("VoicePolicy")] | Flag, _switch("VoicePolicy")]
Images = Annotated[Annotated[ImagesPolicy, Tag("ImagesPolicy")] | Flag, _switch("ImagesPolicy")]
Documents = Annotated[Annotated[DocumentsPolicy, Tag("DocumentsPolicy")] | Flag, _switch("DocumentsPolicy")]


class MediaPolicy(Strict):
    """Which files that people send are read, what a person reads whose file is not, and which may be sent to people."""

    voice: Voice | None = Field(
        default=None,
        description="Voice notes and audio files: false, or how they are transcribed; on without it.",
        examples=[{"max_minutes": 5, "languages": ["es"], "keywords": ["cazuela"]}],
    )
    images: Images | None = Field(
        default=None,
        description="Pictures: false, or how they are shown to the model; on without it, where engine and model see.",
        examples=[{"detail": "low"}],
    )
    documents: Documents | None = Field(
        default=None,
        description="Documents: false, or how much is read; on without it, where engine and model read them.",
        examples=[{"max_pages": 20}],
    )
    video: Literal[False] | None = Field(
        default=None,
        description="Videos are not looked at: the person is asked for words or a picture.",
        examples=[False],
    )
    not_understood: Sentence | None = Field(
        default=None,
        description=(
            "What a person reads who sends nothing but files of a kind that is off, once for those of a minute, unless "
            "sentences has one for the kind; the setting NOT_UNDERSTOOD_MESSAGE without it."
        ),
        examples=["Por ahora solo puedo leer mensajes de texto."],
    )
    sentences: MediaSentences | None = Field(
        default=None,
        description="What a person reads whose file is not read, by the reason.",
        examples=[{"video": "Por ahora no puedo ver videos. ¿Me envías una foto?"}],
    )
    files: Annotated[dict[ThingName, RelativePath], Field(max_length=30)] | None = Field(
        default=None,
        description=(
            "Documents and pictures that the assistant may send, by the names that it calls them: PDF, DOCX, XLSX or "
            "PPTX up to 16 MB, JPEG or PNG up to 5 MB, with paths relative to the manifest. Where the assistant has "
            "file_search with files, it searches in those documents too."
        ),
        examples=[{"menu": "la-cocina/menu.pdf"}],
    )
    places: Annotated[dict[ThingName, Place], Field(max_length=10)] | None = Field(
        default=None,
        description="Places that the assistant may send, by the names that it calls them.",
        examples=[{"local": {"latitude": -33.4515, "longitude": -70.6253, "name": "La Cocina"}}],
    )

    @property
    def voice_rules(self) -> VoicePolicy | None:
        """How recordings are transcribed; None where they are not."""
        return _rules(self.voice, VoicePolicy)

    @property
    def images_rules(self) -> ImagesPolicy | None:
        """How pictures are shown; None where they are not."""
        return _rules(self.images, ImagesPolicy)

    @property
    def documents_rules(self) -> DocumentsPolicy | None:
        """How documents are read; None where they are not."""
        return _rules(self.documents, DocumentsPolicy)


KindPolicy = TypeVar("KindPolicy", VoicePolicy, ImagesPolicy, DocumentsPolicy)


def _rules(said: KindPolicy | bool | None, kind: type[KindPolicy]) -> KindPolicy | None:
    """The rules of a kind: all defaults where nothing is said, or true; None where it is off."""
    if said is None or said is True:
        return kind()
    return None if said is False else said


class Replies(Strict):
    """Which messages a client sends, and which it saves. WhatsApp charges for each that is delivered."""

    one_message: bool | None = Field(
        default=None,
        description="Whether the model is asked for answers that fit into one message; it is unless false.",
        examples=[True],
    )
    typing: bool | None = Field(
        default=None,
        description=(
            "Whether a person's message is marked as read, and WhatsApp shows that an answer is being written, where "
            "that takes more than a second; they are unless false, or unless data.sensitive is declared."
        ),
        examples=[False],
    )
    no_reply: bool | None = Field(
        default=None,
        description=(
            "Whether thanks and goodbyes stay without an answer, where the last message was an answer of the "
            "assistant's within 24 hours and asked nothing; they do unless false."
        ),
        examples=[True],
    )
    buttons: bool | None = Field(
        default=None,
        description=(
            "Whether the assistant may offer up to 3 buttons, or a list of up to 10 rows, to tap on; not unless true."
        ),
        examples=[True],
    )
    disclosure: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = Field(
        default=None,
        description=(
            "What a person's first answer begins with, once: that an assistant writes to them, as WhatsApp's rules and "
            "people expect."
        ),
        examples=["Soy el asistente virtual de La Cocina."],
    )


EMail = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
WarnAt = Annotated[int, Field(ge=1, le=100)]


class Budget(Strict):
    """What a client's messages and models may cost in a month."""

    monthly: float = Field(
        gt=0,
        le=1_000_000_000,
        description="What a calendar month in UTC may cost, in `currency`: our cost, without margin and tax.",
        examples=[40],
    )
    currency: Currency = Field(
        default="USD",
        description="USD, or the agency's currency in tariffs.yaml, at its rate of the day.",
        examples=["USD"],
    )
    warn_at: Annotated[list[WarnAt], Field(max_length=10)] = Field(
        default=[50, 80],
        description="Percent of it at which a warning is sent, each once a month; another one is sent at 100.",
        examples=[[50, 80]],
    )
    on_exceeded: Literal["notify", "pause", "cheaper_model"] = Field(
        default="notify",
        description=(
            "What happens at its end. notify: a warning, nothing stops. pause: the assistant does not answer, and "
            "proactive messages are refused, until the next month. cheaper_model: that model answers."
        ),
        examples=["pause"],
    )
    cheaper_model: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, description="The model that answers then.", examples=["gpt-5.6-luna"]
    )
    notify: Annotated[list[EMail], Field(max_length=10)] = Field(
        default=[],
        description="E-mail addresses that get the warnings too, beside those of the setting ALERT_NOTIFY.",
        examples=[["turno@lacocina.cl"]],
    )


OptOutWord = Annotated[str, StringConstraints(min_length=2, max_length=40)]


class OptOut(Strict):
    """The words with which people end proactive messages."""

    words: Annotated[list[OptOutWord], Field(max_length=20)] | None = Field(
        default=None,
        description=(
            "Further words that opt out as a whole message, besides STOP, BAJA, UNSUBSCRIBE, darme de baja and no más "
            "mensajes, which always do."
        ),
        examples=[["no molestar"]],
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
            "characters that is not remembered; nothing of it where all three are off."
        ),
        examples=[{"now": True, "name": True, "phone": "masked"}],
    )
    media: MediaPolicy | None = Field(
        default=None,
        description="Files that people send: which of them are read, and how.",
        examples=[{"voice": {"max_minutes": 5, "keywords": ["cazuela"]}, "images": {"detail": "low"}}],
    )
    replies: Replies | None = Field(
        default=None,
        description="Messages that are saved, since each one that is delivered costs.",
        examples=[{"one_message": True, "no_reply": True}],
    )
    budget: Budget | None = Field(
        default=None,
        description="What a month may cost, and what happens when it costs more.",
        examples=[{"monthly": 40, "warn_at": [50, 80], "on_exceeded": "pause"}],
    )
    templates: Annotated[dict[TemplateName, Template], Field(max_length=MAX_TEMPLATES)] | None = Field(
        default=None,
        description="Message templates, by name: what may be sent after the 24 hours that a person's message opens.",
        examples=[
            {
                "recordatorio": {
                    "language": "es",
                    "category": "utility",
                    "body": "Hola {nombre}, te esperamos el {dia}.",
                    "samples": {"nombre": "Ana", "dia": "martes"},
                }
            }
        ],
    )
    window: Window | None = Field(
        default=None,
        description="What happens to a message of ours after those 24 hours; it is refused without this.",
        examples=[{"reopen_with": "retomar"}],
    )
    data: DataPolicy | None = Field(
        default=None,
        description="How people's data are treated: which are sensitive, what is asked first, what is deleted when.",
        examples=[{"sensitive": ["health"], "retention": {"messages": "180d", "media": "7d"}}],
    )
    hours: Hours | None = Field(
        default=None,
        description="When people attend, holidays, and what happens outside of these hours; always without it.",
        examples=[{"lun-vie": ["09:00-13:00", "14:30-18:30"], "holidays": "CL", "outside": "answer"}],
    )
    opt_out: OptOut | None = Field(
        default=None,
        description="With which words people end proactive messages.",
        examples=[{"words": ["no molestar"]}],
    )
    handoff: HandoffPolicy | None = Field(
        default=None,
        description=(
            "When people answer instead of the assistant: where a person asks for one, the assistant cannot help, or "
            "fails. Without it nothing but a person's own click does that."
        ),
        examples=[{"notify": ["turno@lacocina.cl"], "resume_after": "4h"}],
    )

    @classmethod
    def policy_keys(cls) -> set[str]:
        """Names of its fields; of a client, which has others too, those of the policy."""
        return _KEYS


_KEYS: Final = set(Policy.model_fields)


def keys_of(policy: Policy) -> dict[str, Any]:
    """A policy's values as JSON by key; {} when it sets nothing."""
    said = policy.model_dump(mode="json", include=policy.policy_keys(), exclude_none=True)
    return {key: value for key, value in said.items() if value != {}}


def without_paths(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The result of `keys_of` for a bot's row, in which `PolicyDocument.files` replaces the paths of `media`, and which
    has no `data.recipients`: the runtime does nothing with them."""
    found = dict(keys)
    for key, left_out in (("media", "files"), ("data", "recipients")):
        kept = {name: value for name, value in found.pop(key, {}).items() if name != left_out}
        if kept:
            found[key] = kept
    return found


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
