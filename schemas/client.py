"""Models of one client manifest, `clients.d/<name>.yaml`.

They are strict: an unknown key, a wrong type or a missing required key is an error, and nothing is coerced (a number
written without quotes stays an integer and is refused). What depends on other files (a missing prompt, a number used
twice) is checked where the files are read, not here.
"""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.canary import CanaryRules, Effort, ModelId, Prompt
from schemas.cases import Cases
from schemas.policy import Policy, RelativePath
from schemas.secret_refs import SecretRef
from schemas.strict import Strict

ClientId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=63)]
Number = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/$.?#][^\s]*$", max_length=2048)]
VectorStoreId = Annotated[str, StringConstraints(pattern=r"^vs_[A-Za-z0-9_-]+$", max_length=128)]

Vertical = Literal[
    "Alcohol",
    "Automotive",
    "Beauty, Spa and Salon",
    "Clothing and Apparel",
    "Education",
    "Entertainment",
    "Event Planning and Service",
    "Finance and Banking",
    "Food and Grocery",
    "Hotel and Lodging",
    "Matrimony Service",
    "Medical and Health",
    "Non-profit",
    "OTC Drugs",
    "Online Gambling",
    "Other",
    "Physical Gambling",
    "Professional Services",
    "Public Service",
    "Restaurant",
    "Shopping and Retail",
    "Travel and Transportation",
]

# Keys of one client only: a default makes no sense for them, or one line would take the whole fleet down.
OWN_KEYS = ("id", "formerly", "name", "number", "state")


class InstructionsFile(Strict):
    """Instructions kept in a file of their own."""

    file: RelativePath = Field(
        description="Path of a UTF-8 text file, relative to the manifest.",
        examples=["la-cocina/prompt.md"],
    )


class Endpoint(Strict):
    """Where a function tool is called: one HTTP POST for each call."""

    url: HttpUrl = Field(
        description="URL that receives each call as JSON with name, arguments, client, conversation, call_id and now.",
        examples=["https://api.lacocina.cl/reservas"],
    )
    secret: SecretRef | None = Field(
        default=None,
        description="Key of the HMAC-SHA256 signature in the header X-Horizonai-Signature; unsigned without it.",
        examples=[{"env": "LA_COCINA_HOOK_SECRET"}],
    )
    authorization: SecretRef | None = Field(
        default=None,
        description="Value of the header Authorization, complete with its scheme such as Bearer; not sent without it.",
        examples=[{"env": "LA_COCINA_HOOK_AUTHORIZATION"}],
    )
    follow_redirects: bool = Field(
        default=False,
        description=(
            "Whether a redirect of the endpoint is followed, as Google Apps Script needs it. Each URL on the way is "
            "checked like the first; neither signature nor Authorization is sent to another host."
        ),
        examples=[True],
    )
    user: Literal["masked", "full"] | None = Field(
        default=None,
        description=(
            "Whether each call says who writes, as user with phone, name and external_id: full, or masked with the "
            "number's middle hidden and without external_id. Not at all without it: the endpoint's operator becomes "
            "a recipient of personal data."
        ),
        examples=["masked"],
    )
    timeout_seconds: float = Field(
        default=10.0,
        gt=0,
        le=60,
        description="How long a call may take, in seconds, before it is reported to the assistant as failed.",
        examples=[5],
    )


class FunctionTool(Strict):
    """A function that the assistant may call; it is answered by an HTTP endpoint."""

    type: Literal["function"] = Field(description="A function of your own.", examples=["function"])
    name: FunctionName = Field(
        description="Name that the model calls, unique within the assistant.",
        examples=["crear_reserva"],
    )
    description: str = Field(
        default="",
        max_length=1024,
        description="What the function does and when to call it, for the model.",
        examples=["Crea una reserva"],
    )
    parameters: dict[str, Any] = Field(
        default_factory=lambda: {"type": "object", "properties": {}},
        description="JSON Schema of the arguments; its root must be an object.",
        examples=[{"type": "object", "properties": {"personas": {"type": "integer"}}, "required": ["personas"]}],
    )
    strict: bool = Field(
        default=False,
        description=(
            "Whether the arguments always fit the parameters exactly, which then list every property as required and "
            "allow no other (additionalProperties: false), at each level."
        ),
        examples=[True],
    )
    idempotent: bool = Field(
        default=False,
        description=(
            "Whether the endpoint does the same once for calls with one call_id, which it also gets as the header "
            "Idempotency-Key: a call that fails for a passing reason is then made again, up to twice."
        ),
        examples=[True],
    )
    endpoint: Endpoint = Field(
        description="Where the call is sent.",
        examples=[{"url": "https://api.lacocina.cl/reservas", "secret": {"env": "LA_COCINA_HOOK_SECRET"}}],
    )


class FileSearchTool(Strict):
    """Search in the client's own documents: `files` kept in git, or a `vector_store` that is maintained by hand."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["files"]}, {"required": ["vector_store"]}]})

    type: Literal["file_search"] = Field(description="Search in documents.", examples=["file_search"])
    files: Annotated[list[RelativePath], Field(min_length=1, max_length=1000)] | None = Field(
        default=None,
        description="Paths relative to the manifest; their content decides what is uploaded.",
        examples=[["la-cocina/menu.pdf"]],
    )
    vector_store: VectorStoreId | None = Field(
        default=None,
        description="Id of a vector store that is maintained by hand at OpenAI: searched, never changed.",
        examples=["vs_68f0c2a91d3c8191a1b2c3d4e5f60718"],
    )
    max_num_results: int = Field(
        default=5,
        ge=1,
        le=50,
        description="Maximum number of passages that a search returns.",
        examples=[5],
    )


class WebSearchTool(Strict):
    """Search on the web."""

    type: Literal["web_search"] = Field(description="Search on the web.", examples=["web_search"])
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = Field(
        default="CL",
        description="ISO 3166 country that results are meant for; the provider's own default is the United States.",
        examples=["CL"],
    )


class McpTool(Strict):
    """Tools of a server that speaks the Model Context Protocol. OpenAI calls it, not this installation: what the model
    sends it leaves for its operator, and the headers pass OpenAI with every message."""

    type: Literal["mcp"] = Field(description="A server's tools (MCP).", examples=["mcp"])
    name: FunctionName = Field(
        description="What the model calls the server, unique within the assistant.", examples=["reservas"]
    )
    url: HttpUrl = Field(
        description="URL of the server, as OpenAI reaches it.", examples=["https://mcp.lacocina.cl/reservas"]
    )
    description: str = Field(
        default="",
        max_length=1024,
        description="What the server is for, for the model.",
        examples=["Reservas de mesas"],
    )
    allowed_tools: Annotated[list[FunctionName], Field(min_length=1, max_length=64)] = Field(
        description="Names of the tools that may be used; the others of the server are not offered.",
        examples=[["buscar_hora", "reservar"]],
    )
    headers: dict[HeaderName, SecretRef] = Field(
        default_factory=dict,
        max_length=10,
        description="Headers that the server is sent, each a secret by reference. OpenAI gets them with every message.",
        examples=[{"Authorization": {"env": "LA_COCINA_MCP_AUTHORIZATION"}}],
    )
    require_approval: Literal["never"] = Field(
        description="Always never, and always written: no person can approve a call while a customer waits.",
        examples=["never"],
    )


Tool = Annotated[FunctionTool | FileSearchTool | WebSearchTool | McpTool, Field(discriminator="type")]


class Canary(CanaryRules):
    """Another assistant, which some of the client's people get until a day, to compare the two."""

    instructions: Prompt | InstructionsFile | None = Field(
        default=None,
        description="Its prompt, in place or in a file.",
        examples=[{"file": "la-cocina/prompt-nuevo.md"}],
    )


class Assistant(Strict):
    """Who answers: engine, model, instructions, tools."""

    engine: Literal["responses", "agents", "assistants"] = Field(
        default="responses",
        description=(
            "responses: OpenAI's Responses API, the assistant is a record in the bot store. assistants: a live object "
            "at a server that still speaks the Assistants API (OpenAI's own answers 404 since 2026-08-26). agents: a "
            "live agent of OpenAI's Agents API, a beta; it cannot search in documents."
        ),
        examples=["responses"],
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="Name of the assistant at the provider and in lists, which no user sees; else the client's.",
        examples=["Bot de La Cocina"],
    )
    model: ModelId = Field(
        description="Model id as the provider lists it; checked against GET /v1/models when planning.",
        examples=["gpt-6-luna"],
    )
    fallback_model: ModelId | None = Field(
        default=None,
        description=(
            "The model that answers when `model` is not available any more, until the manifest names another one. "
            "Without it messages get no answer then."
        ),
        examples=["gpt-5.6-luna"],
    )
    instructions: Prompt | InstructionsFile = Field(
        description="The prompt, in place or in a file.",
        examples=["Eres el asistente del restaurante La Cocina.", {"file": "la-cocina/prompt.md"}],
    )
    tools: list[Tool] = Field(
        default_factory=list,
        max_length=128,
        description="Tools that the assistant may use.",
        examples=[[{"type": "web_search"}]],
    )
    reasoning_effort: Effort = Field(
        default="none",
        description="How long the model may think before it answers; people on WhatsApp wait: not at all by default.",
        examples=["low"],
    )
    max_output_tokens: int = Field(
        default=800,
        ge=16,
        le=128_000,
        description="Upper bound of an answer's length, in tokens; the engine responses only.",
        examples=[800],
    )
    canary: Canary | None = Field(
        default=None,
        description=(
            "Another assistant that some people get, to compare the two; the engine responses only. What it does not "
            "name is as above."
        ),
        examples=[{"percent": 10, "until": "2026-12-15", "instructions": {"file": "la-cocina/prompt-nuevo.md"}}],
    )


class Profile(Strict):
    """What WhatsApp shows about the business. Only the keys given here are managed."""

    name: Annotated[str, StringConstraints(min_length=2, max_length=256)] | None = Field(
        default=None,
        description=(
            "The name that WhatsApp shows. Meta reviews it, shows the former one until then, and takes few changes in "
            "30 days; it is submitted once."
        ),
        examples=["La Cocina"],
    )
    about: Annotated[str, StringConstraints(max_length=139)] | None = Field(
        default=None,
        description="Short line under the name, at most 139 characters.",
        examples=["Cocina chilena"],
    )
    address: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        default=None,
        description="Street address, at most 256 characters.",
        examples=["Av. Italia 1234, Providencia, Santiago"],
    )
    description: Annotated[str, StringConstraints(max_length=512)] | None = Field(
        default=None,
        description="Longer description, at most 512 characters.",
        examples=["Cocina chilena casera en el barrio Italia. Reservas por WhatsApp."],
    )
    vertical: Vertical | None = Field(
        default=None,
        description="Line of business, from WhatsApp's closed list.",
        examples=["Restaurant"],
    )
    emails: list[Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=128)]] | None = Field(
        default=None,
        max_length=1,
        description="Contact address; WhatsApp shows one.",
        examples=[["hola@lacocina.cl"]],
    )
    websites: list[HttpUrl] | None = Field(
        default=None,
        max_length=2,
        description="Web pages; WhatsApp shows two.",
        examples=[["https://lacocina.cl"]],
    )
    logo_url: HttpUrl | None = Field(
        default=None,
        description="Public URL of the logo.",
        examples=["https://lacocina.cl/logo.png"],
    )


class Account(Strict):
    """A Twilio account of the client's own, for a client with its own WhatsApp Business Account."""

    sid: Annotated[str, StringConstraints(pattern=r"^AC[0-9a-f]{32}$")] = Field(
        title="Account SID",
        description="Account SID, as Twilio's console shows it.",
        examples=["AC0123456789abcdef0123456789abcdef"],
    )
    auth_token: SecretRef = Field(
        description="Where the account's auth token is read from.",
        examples=[{"env": "LA_COCINA_TWILIO_TOKEN"}],
    )


_APPLICATION: Final = re.compile(r"AP[0-9a-f]{32}")


def _application_or_off(value: object) -> object:
    if value is False or (isinstance(value, str) and _APPLICATION.fullmatch(value)):
        return value
    raise PydanticCustomError("voice_application", "is neither a voice application nor false")


Calling = Annotated[
    str | Literal[False],
    BeforeValidator(_application_or_off),
    Field(json_schema_extra={"anyOf": [{"type": "string", "pattern": f"^{_APPLICATION.pattern}$"}, {"const": False}]}),
]


class Sender(Strict):
    """What Twilio holds for the number. Webhook URLs come from the settings, not from here."""

    calling: Calling | None = Field(
        default=None,
        description=(
            "Calls of people to the number: the SID of the voice application (Twilio: TwiML App) that answers them, or "
            "false, with which WhatsApp offers no call. Without it calls are left as they are."
        ),
        examples=[False, "AP0123456789abcdef0123456789abcdef"],
    )

    template_events: bool | None = Field(
        default=None,
        description=(
            "Whether Twilio tells the runtime at once what Meta decides about the account's templates (Event Streams). "
            "It is one subscription for each Twilio account: it is made where a client of the account says true, and "
            "deleted where none does any more and one says false. Without it, the nightly look finds the same."
        ),
        examples=[True],
    )
    profile: Profile = Field(
        default_factory=Profile,
        description="The business profile that WhatsApp shows.",
        examples=[{"about": "Cocina chilena", "vertical": "Restaurant"}],
    )
    account: Account | None = Field(
        default=None,
        description="The client's own Twilio account; the shared one without it.",
        examples=[{"sid": "AC0123456789abcdef0123456789abcdef", "auth_token": {"env": "LA_COCINA_TWILIO_TOKEN"}}],
    )


class _Objects(Strict):
    """The part of a client that becomes live objects: an assistant, a bot, a sender."""

    id: ClientId = Field(
        title="Client id",
        description=(
            "Identity: lower-case letters, digits and hyphens. Renaming the file changes nothing; changing this does."
        ),
        examples=["la-cocina"],
    )
    formerly: ClientId | None = Field(
        default=None,
        description=(
            "The id that this client had: what was made under it becomes this client's, conversations included. "
            "Without effect once that is applied."
        ),
        examples=["cocina"],
    )
    name: str = Field(
        min_length=1,
        max_length=128,
        description="Display name of the client.",
        examples=["Restaurante La Cocina"],
    )
    state: Literal["active", "paused", "absent"] = Field(
        default="active",
        description=(
            "active: answers. paused: messages are stored and not answered. absent: what the tool created is deleted; "
            "remove the file afterwards."
        ),
        examples=["paused"],
    )
    number: Number = Field(
        title="WhatsApp number",
        description="WhatsApp number in E.164, in quotes, unique among the clients.",
        examples=["+15551234567"],
    )
    assistant: Assistant = Field(
        description="Who answers.",
        examples=[{"model": "gpt-6-luna", "instructions": "Eres el asistente del restaurante La Cocina."}],
    )
    sender: Sender = Field(
        default_factory=Sender,
        description="What Twilio holds for the number.",
        examples=[{"profile": {"about": "Cocina chilena", "vertical": "Restaurant"}}],
    )
    fallback_message: Annotated[str, StringConstraints(min_length=1, max_length=1600)] | None = Field(
        default=None,
        description="What the user receives when no answer could be made; the installation's default without it.",
        examples=["Tuvimos un problema técnico. Te responderemos a la brevedad."],
    )
    protected: bool = Field(
        default=False,
        description="A protected client is never deleted; the protection must be lifted in an earlier apply.",
        examples=[True],
    )
    metadata: dict[
        Annotated[str, StringConstraints(min_length=1, max_length=64)],
        Annotated[str, StringConstraints(max_length=512)],
    ] = Field(
        default_factory=dict,
        max_length=16,
        description="Notes of your own, text only; they travel with the bot.",
        examples=[{"cliente": "Restaurante La Cocina", "industria": "Restaurantes", "fecha_creacion": "2025-10-22"}],
    )
    tests: Cases = Field(
        default_factory=dict,
        description="Conversations that `reconcile test` tries, by name: in place or in a file.",
        examples=[{"saluda": {"conversation": [{"say": "Hola", "expect": {"language": "es"}}]}}],
    )


class Client(Policy, _Objects):
    """One client: one WhatsApp number, one assistant, and how the runtime answers for it."""
