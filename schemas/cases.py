"""The test cases of a manifest: conversations as people write them, and what each answer must be.

    tests ──► name ──► case, or {file: …} with one
                        ├── conversation ──► exchanges: what the person says, and what is expected of the answer
                        ├── functions    ──► what the client's functions answer in this case
                        └── at, person   ──► when it takes place, and who writes

A case is tried by `reconcile test`; nothing of it is a live object, and the runtime never reads it.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

from schemas.function_names import HAND_OVER, NO_REPLY
from schemas.policy import RelativePath
from schemas.sending_tools import SENDING
from schemas.strict import Strict

DEFAULT_TIME: Final = datetime(2026, 6, 1, 12)
"""When a case takes place that does not say it, in the client's zone: a Monday at noon, the same in every run, so that
its recordings stay valid."""
MAX_CASES: Final = 500
MAX_EXCHANGES: Final = 50
_TIME: Final = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]")

CaseName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Criterion = Annotated[str, StringConstraints(min_length=3, max_length=1000)]
Expression = Annotated[str, StringConstraints(min_length=1, max_length=500)]


def _as_list(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def _as_judge(given: Any) -> Any:
    return {"criterion": given} if isinstance(given, str) else given


def _calendar_time(written: str) -> str:
    """The text itself; raises PydanticCustomError where it is not a time."""
    try:
        if _TIME.fullmatch(written):
            datetime.fromisoformat(written)
            return written
    except ValueError:
        pass
    raise PydanticCustomError("calendar_time", "is not a time")


Texts = Annotated[
    list[Words],
    Field(min_length=1, max_length=20),
    BeforeValidator(_as_list, json_schema_input_type=Words | list[Words]),
]
"""One text, or several."""
Time = Annotated[str, AfterValidator(_calendar_time)]


class Judge(Strict):
    """A criterion that a model judges an answer by."""

    criterion: Criterion = Field(
        description="What is true of a good answer, in words.",
        examples=["propone una hora y no promete precio"],
    )
    times: int = Field(
        default=1, ge=1, le=9, description="How often the answer is judged, each time on its own.", examples=[3]
    )
    passes: int | None = Field(
        default=None, ge=1, le=9, description="How many of them must find it true; all without it.", examples=[2]
    )
    model: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, description="The model that judges; gpt-6-luna without it.", examples=["gpt-6-sol"]
    )


class Expectation(Strict):
    """What must be true of one answer. Capitals and accents count in none of the words but in `matches`."""

    contains: Texts | None = Field(
        default=None, description="Words that are in the answer: one text, or all of several.", examples=[["reserva"]]
    )
    not_contains: Texts | None = Field(
        default=None, description="Words that are not in the answer: one text, or none of several.", examples=["precio"]
    )
    matches: Expression | None = Field(
        default=None,
        description="A regular expression that is found in the answer (Python's, with Unicode properties).",
        examples=["\\b2[01]:[0-5][0-9]\\b"],
    )
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] | None = Field(
        default=None, description="Language of the answer, as ISO 639-1.", examples=["es"]
    )
    max_chars: int | None = Field(
        default=None, ge=1, le=32_000, description="Characters of the whole answer, at most.", examples=[600]
    )
    calls: Annotated[dict[FunctionName, dict[str, Any] | None], Field(min_length=1, max_length=20)] | None = Field(
        default=None,
        description="Functions that are called before the answer, each with some of its arguments, or with none.",
        examples=[{"crear_reserva": {"personas": 4}}],
    )
    calls_nothing: Literal[True] | None = Field(
        default=None, description="No function is called, none of the built-in ones either.", examples=[True]
    )
    hands_over: bool | None = Field(
        default=None, description="Whether the conversation passes to people.", examples=[True]
    )
    no_reply: bool | None = Field(
        default=None, description="Whether the person gets no answer at all, as after thanks.", examples=[True]
    )
    uses_document: RelativePath | None = Field(
        default=None,
        description="A document of the client's that the answer cites, as the manifest names it.",
        examples=["la-cocina/menu.md"],
    )
    judge: Annotated[Judge, BeforeValidator(_as_judge, json_schema_input_type=Criterion | Judge)] | None = Field(
        default=None,
        description="What a model must find true of the answer: a criterion in words, or how often it is judged, too.",
        examples=["propone una hora y no promete precio"],
    )
    costs_at_most: float | None = Field(
        default=None, gt=0, le=100, description="What the answer's models may cost, in USD.", examples=[0.01]
    )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is expected."""
        return not self.model_fields_set


class Exchange(Strict):
    """What a person sends, and the answer to it."""

    say: Texts | None = Field(
        default=None,
        description="What the person writes: one message, or several that are answered together.",
        examples=["Hola, ¿tienen mesa para 4 mañana?"],
    )
    files: Annotated[list[RelativePath], Field(min_length=1, max_length=10)] | None = Field(
        default=None,
        description="Files that the person sends after it: pictures, documents, recordings; relative to the manifest.",
        examples=[["la-cocina/tests/comprobante.jpg"]],
    )
    answered: Words | None = Field(
        default=None,
        description="What was answered: taken as said, no model is asked. For what came before the question.",
        examples=["¡Hola! ¿Para qué día?"],
    )
    expect: Expectation | None = Field(
        default=None,
        description="What must be true of the answer.",
        examples=[{"contains": "nombre", "max_chars": 400}],
    )


class FunctionFixture(Strict):
    """What a function answers, instead of the client's endpoint."""

    name: FunctionName = Field(description="Name of the function.", examples=["crear_reserva"])
    arguments: dict[str, Any] | None = Field(
        default=None,
        description="Answers only calls with these arguments, among others; any call without it.",
        examples=[{"personas": 4}],
    )
    answer: Any = Field(
        description="What the endpoint answers: any JSON value.", examples=[{"numero": 17, "confirmada": True}]
    )


class CasePerson(Strict):
    """Who writes."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=60)] | None = Field(
        default=None, description="Name in their WhatsApp profile.", examples=["Ana"]
    )
    consented: bool = Field(
        default=True,
        description="Whether they have said yes to `data.consent` before; where not, the case includes the question.",
        examples=[False],
    )
    phone: Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = Field(
        default=None, description="Their number in E.164, in quotes; an invented one.", examples=["+56900000000"]
    )


class Case(Strict):
    """A conversation, and what is expected of its answers."""

    at: Time | None = Field(
        default=None,
        description=(
            'When it takes place, in the client\'s time zone, the same in every run; "2026-06-01 12:00" without it, '
            "a Monday."
        ),
        examples=["2026-12-24 20:30"],
    )
    person: CasePerson | None = Field(default=None, description="Who writes.", examples=[{"name": "Ana"}])
    functions: Annotated[list[FunctionFixture], Field(max_length=100)] = Field(
        default=[],
        description="What the client's functions answer: the first of them that fits a call.",
        examples=[[{"name": "crear_reserva", "answer": {"numero": 17}}]],
    )
    conversation: Annotated[list[Exchange], Field(min_length=1, max_length=MAX_EXCHANGES)] = Field(
        description="What the person sends and what is expected of each answer, in order.",
        examples=[[{"say": "Hola", "expect": {"language": "es"}}]],
    )

    @property
    def time(self) -> datetime:
        """When it takes place, in the client's zone."""
        return DEFAULT_TIME if self.at is None else datetime.fromisoformat(self.at)


class CaseFile(Strict):
    """A case in a file of its own."""

    file: RelativePath = Field(
        description="Path of a YAML file with one case, relative to the manifest.",
        examples=["la-cocina/tests/reserva.yaml"],
    )


def _form(given: Any) -> str:
    return "CaseFile" if isinstance(given, CaseFile) or (isinstance(given, Mapping) and "file" in given) else "Case"


CaseOrFile = Annotated[Annotated[Case, Tag("Case")] | Annotated[CaseFile, Tag("CaseFile")], Discriminator(_form)]
Cases = Annotated[dict[CaseName, CaseOrFile], Field(max_length=MAX_CASES)]

LANGUAGES: Final = ("es", "en", "pt", "fr", "it", "de")
"""Languages that can be expected of an answer."""
BUILT_IN: Final = frozenset({NO_REPLY, HAND_OVER, *SENDING})
"""The runtime's own tools: they can be expected, and answer for themselves."""
