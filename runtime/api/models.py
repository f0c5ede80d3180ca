"""Bodies of the API. Strict: an unknown field or a wrong type is an error, nothing is coerced."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from runtime.api.tools import checked_endpoints, checked_tool
from runtime.delivery.splitting import MESSAGE_LIMIT
from runtime.store.messages.privacy_requests import NO_CONTENT, RequestKind, is_content
from runtime.store.messages.privacy_requests import Outcome as RequestOutcome
from runtime.store.records import endpoint_values
from runtime.text import is_blank
from schemas.addresses import is_user_id, number_of
from schemas.credentials import is_installation_credential
from schemas.policy import document_of, keys_of
from schemas.policy_document import PolicyDocument, checked_document
from schemas.templates import VALUE_LIMIT, TemplateName, VariableName

Number = Annotated[str, Field(examples=["+15551234567"])]
Text = Annotated[str, StringConstraints(min_length=1, max_length=262_144)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]


def _of_a_client(variable: str) -> str:
    if is_installation_credential(variable):
        raise ValueError(f"{variable} is the installation's own credential, not a client's secret")
    return variable


EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=128), AfterValidator(_of_a_client)]
Metadata = dict[
    Annotated[str, StringConstraints(min_length=1, max_length=64)], Annotated[str, StringConstraints(max_length=512)]
]


def _without_content(text: str) -> str:
    if is_content(text):
        raise ValueError(NO_CONTENT)
    return text


Reference = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_without_content)]
"""What leads to a document, such as a ticket's number; no content, since it outlives an erasure."""


class Body(BaseModel):
    """Base of every body."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FunctionEndpoint(Body):
    """Where a function tool is called."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=2048)]
    secret_env: EnvName | None = None
    timeout_seconds: float = Field(default=10.0, gt=0, le=60, strict=False)
    authorization_env: EnvName | None = None
    follow_redirects: bool = False
    user: Literal["masked", "full"] | None = None
    idempotent: bool = False

    @model_serializer
    def _as_stored(self) -> dict[str, Any]:
        return endpoint_values(
            self.url,
            self.secret_env,
            self.timeout_seconds,
            self.authorization_env,
            self.follow_redirects,
            self.user,
            self.idempotent,
        )


class BotFields(Body):
    """Fields of both creating and changing a bot."""

    assistant_id: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    instructions: Text | None = Field(
        default=None, description="The bot's own prompt. Beside assistant_id it replaces the assistant's, all of it."
    )
    model: Name | None = None
    state: Literal["active", "paused"] = "active"
    account_sid: Annotated[str, StringConstraints(pattern=r"^AC[0-9a-f]{32}$")] | None = None
    auth_token_env: EnvName | None = None
    fallback_message: Annotated[str, StringConstraints(min_length=1, max_length=MESSAGE_LIMIT)] | None = None
    functions: Annotated[dict[str, FunctionEndpoint], AfterValidator(checked_endpoints)] = {}
    metadata: Metadata = {}

    @field_validator("twilio_phone_number", check_fields=False)
    @classmethod
    def _is_e164(cls, value: str) -> str:
        return checked_number(value)


class BotByHand(BotFields):
    """Further fields of a call by hand, in the values that this program knows."""

    policy: PolicyDocument = PolicyDocument()

    @field_serializer("policy")
    def _as_stored(self, policy: PolicyDocument) -> dict[str, Any]:
        return document_of(keys_of(policy))


class BotCreate(BotByHand):
    """A new bot."""

    name: Name
    twilio_phone_number: Number


class BotUpdate(BotByHand):
    """Changes to a bot; fields left out stay."""

    name: Name = ""
    twilio_phone_number: Number = ""


class BotDeclaration(BotFields):
    """A bot as the reconciler declares it, complete."""

    name: Name
    twilio_phone_number: Number
    policy: Annotated[dict[str, Any], AfterValidator(checked_document)] = {}
    """Stored as it is: a newer reconciler may send more than this program knows, for replicas that do."""
    protected: bool = False
    client: str | None = None
    managed_by: str | None = None


class AssistantFields(Body):
    """Fields of both creating and changing an assistant."""

    tools: list[Annotated[dict[str, Any], AfterValidator(checked_tool)]] = Field(default=[], max_length=128)
    settings: dict[str, Any] = {}
    metadata: Metadata = {}


class AssistantCreate(AssistantFields):
    """A new assistant."""

    name: Name
    instructions: Text
    model: Name


class AssistantUpdate(AssistantFields):
    """Changes to an assistant; fields left out stay."""

    name: Name = ""
    instructions: Text = ""
    model: Name = ""


class AssistantDeclaration(AssistantCreate):
    """An assistant as the reconciler declares it, complete."""

    client: str | None = None
    managed_by: str | None = None


class MessageCreate(Body):
    """A proactive message: text, which goes to who wrote within 24 hours, or a template of the bot's client."""

    to: Number
    body: Annotated[str, StringConstraints(min_length=1, max_length=MESSAGE_LIMIT)] | None = None
    template: TemplateName | None = None
    variables: dict[VariableName, Annotated[str, StringConstraints(max_length=VALUE_LIMIT)]] = {}
    bot_id: str | None = None
    from_: Number | None = Field(default=None, alias="from")

    @field_validator("from_")
    @classmethod
    def _is_e164(cls, value: str | None) -> str | None:
        return None if value is None else checked_number(value)

    @model_validator(mode="after")
    def _is_one_of_both(self) -> MessageCreate:
        if (self.body is None) == (self.template is None):
            raise ValueError("give either body or template")
        if self.variables and self.template is None:
            raise ValueError("variables go with template")
        return self

    @field_validator("to")
    @classmethod
    def _is_user(cls, value: str) -> str:
        return checked_user(value)


class Rectification(Body):
    """What is to be rectified about a person: how they are called, or what was heard in a voice note."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    message: Annotated[int, Field(ge=1)] | None = Field(default=None, description="The id of a message with a file.")
    transcript: Annotated[str, StringConstraints(min_length=1, max_length=16_384)] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Rectification:
        if (self.message is None) != (self.transcript is None):
            raise ValueError("message and transcript go together")
        if (self.name is None) == (self.message is None):
            raise ValueError("give either name, or message and transcript")
        return self


class RequestCreate(Body):
    """What a person asks a client for under the law."""

    client: Name
    kind: RequestKind
    received: Annotated[AwareDatetime, Field(strict=False)] | None = Field(
        default=None, description="When it was received; now without it.", examples=["2026-12-01T10:30:00-03:00"]
    )


class RequestExtension(Body):
    """Why a request takes longer."""

    because: Reference


class RequestAnswer(Body):
    """How a request was answered."""

    outcome: RequestOutcome
    proof: Reference
    receipt: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The number of the receipt of what was done."
    )


class ReplyFile(Body):
    """A file of the conversation that a reply sends."""

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ReplyBody(Body):
    """What a person writes in a conversation: a text, or a file, a picture with a text below it."""

    text: Annotated[str, StringConstraints(max_length=MESSAGE_LIMIT)] = ""
    file: ReplyFile | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ReplyBody:
        if self.file is None and is_blank(self.text):
            raise ValueError("a reply has a text or a file")
        return self


class NoteBody(Body):
    """What a person notes about a conversation."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class CampaignPerson(Body):
    """One person of a list, and the values of the template's variables."""

    to: Number
    variables: dict[VariableName, Annotated[str, StringConstraints(max_length=VALUE_LIMIT)]] = {}

    @field_validator("to")
    @classmethod
    def _is_user(cls, value: str) -> str:
        return checked_user(value)


class CampaignCreate(Body):
    """A send of a template to a list. The same `id` again continues it, with the people that it lacks."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
    bot_id: str
    template: TemplateName
    basis: Annotated[str, StringConstraints(min_length=3, max_length=500)] = Field(
        description="Why these people may be written to, such as how they agreed; kept with the campaign."
    )
    rows: Annotated[list[CampaignPerson], Field(min_length=1, max_length=20_000)]
    quiet_hours: bool = Field(default=True, description="Whether no person is written to from 21:00 to 9:00.")
    dry_run: bool = Field(default=False, description="Only check it, and say what it costs.")


class AppliedBody(Body):
    """Values last applied to a client's resource."""

    live_id: str
    values: dict[str, Any]
    applied_at: str = ""


class LeaseBody(Body):
    """The owner of a lease, and its first duration."""

    owner: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    ttl_seconds: float = Field(gt=0, le=86_400, strict=False)


class NumbersBody(Body):
    """The new number of each bot, by the bot's id."""

    numbers: Annotated[dict[str, Number], Field(min_length=1, max_length=10_000)]
    replacing: str | None = None
    """The bot whose number one of them gets, and which is deleted."""


class RenameBody(Body):
    """The id that a client had, and the manifest that declares it now."""

    formerly: str
    managed_by: str | None = None


class RunBody(Body):
    """One apply."""

    id: str
    started_at: str
    actor: str
    digest: str
    git_sha: str | None = None
    finished_at: str | None = None
    outcome: str | None = None
    changes: list[dict[str, Any]] = []


class NoticeBody(Body):
    """A finding of drift that was sent to a channel."""

    fingerprint: str
    notified_at: str


class ClaimBody(LeaseBody):
    """A claim to send a finding of drift to a channel, or that it is resolved."""

    fingerprint: str | None = None
    """None: that it is resolved."""


def checked_user(value: str) -> str:
    """A number in E.164, or WhatsApp's id of a user; raises ValueError that shows the right forms."""
    if is_user_id(value) and value == number_of(value):
        return value
    try:
        return checked_number(value)
    except ValueError as error:
        raise ValueError(f'{error}, or WhatsApp\'s user id like "CL.1A2B3C"') from None


def checked_number(value: str) -> str:
    """The number, when it is E.164; raises ValueError that shows the right form."""
    digits = number_of(value).removeprefix("+")
    if (
        value == f"+{digits}"
        and digits.isascii()
        and digits.isdecimal()
        and 7 <= len(digits) <= 15
        and digits[0] != "0"
    ):
        return value
    raise ValueError(f'not a number in E.164: {value!r}; write it like "+15551234567"')
