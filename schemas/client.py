"""Models of one client manifest, `clients.d/<name>.yaml`.

They are strict: an unknown key, a wrong type or a missing required key is an error, and nothing is coerced (a number
written without quotes stays an integer and is refused). What needs a look at other files (a missing prompt, a number
taken twice) is checked where the files are read, not here.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ClientId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=63)]
Number = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/$.?#][^\s]*$", max_length=2048)]
RelativePath = Annotated[str, StringConstraints(pattern=r"^[^/\\\s][^\\]*$", max_length=512)]

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


class Strict(BaseModel):
    """Base of every model: unknown keys are refused, nothing is coerced, instances do not change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class SecretRef(Strict):
    """A secret by reference: the name of an environment variable, never its value."""

    env: EnvName = Field(examples=["LA_COCINA_HOOK_SECRET"])
    """Name of the environment variable that holds the secret where it is used."""


class InstructionsFile(Strict):
    """Instructions kept in a file of their own."""

    file: RelativePath = Field(examples=["la-cocina/prompt.md"])
    """Path of a UTF-8 text file, relative to the manifest."""


class Endpoint(Strict):
    """Where a function tool is called: one signed HTTP POST for each call."""

    url: HttpUrl = Field(examples=["https://api.lacocina.cl/reservas"])
    """URL that receives the call as JSON: `{"name", "arguments", "client", "conversation", "call_id"}`."""
    secret: SecretRef | None = None
    """Key of the HMAC-SHA256 signature in the header `X-Horizonai-Signature`; unsigned without it."""
    timeout_seconds: float = Field(default=10.0, gt=0, le=60)
    """How long a call may take before the assistant is told that it failed."""


class FunctionTool(Strict):
    """A function that the assistant may call; it is answered by an HTTP endpoint."""

    type: Literal["function"]
    name: FunctionName = Field(examples=["crear_reserva"])
    """Name that the model calls; unique within the assistant."""
    description: str = Field(default="", max_length=1024, examples=["Crea una reserva"])
    """What the function does and when to call it, for the model."""
    parameters: dict[str, Any] = Field(
        default_factory=lambda: {"type": "object", "properties": {}},
        examples=[{"type": "object", "properties": {"personas": {"type": "integer"}}, "required": ["personas"]}],
    )
    """JSON Schema of the arguments; its root must be an object."""
    endpoint: Endpoint
    """Where the call is sent."""


class FileSearchTool(Strict):
    """Search in the client's own documents."""

    type: Literal["file_search"]
    files: list[RelativePath] = Field(min_length=1, max_length=1000, examples=[["la-cocina/menu.pdf"]])
    """Paths relative to the manifest; their content decides what is uploaded."""
    max_num_results: int = Field(default=5, ge=1, le=50)
    """How many passages a search returns at the most."""


class WebSearchTool(Strict):
    """Search on the web."""

    type: Literal["web_search"]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = Field(default="CL", examples=["CL"])
    """ISO country that results are meant for; the provider's own default is the United States."""


Tool = Annotated[FunctionTool | FileSearchTool | WebSearchTool, Field(discriminator="type")]


class Assistant(Strict):
    """Who answers: engine, model, instructions, tools."""

    engine: Literal["responses", "agents", "assistants"] = "responses"
    """`responses`: OpenAI's Responses API, the assistant is a record in the bot store. `assistants`: a live object at a
    server that still speaks the Assistants API (OpenAI's own answers 404 since 2026-08-26). `agents`: OpenAI's Agents
    API."""
    model: str = Field(min_length=1, max_length=128, examples=["gpt-6-luna"])
    """Model id as the provider lists it; checked against `GET /v1/models` when planning."""
    instructions: Annotated[str, StringConstraints(min_length=1, max_length=262_144)] | InstructionsFile = Field(
        examples=["Eres el asistente del restaurante La Cocina.", {"file": "la-cocina/prompt.md"}]
    )
    """The prompt, in place or in a file."""
    tools: list[Tool] = Field(default_factory=list, max_length=128)
    """What the assistant may use besides talking."""
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] = "none"
    """How long the model may think before it answers; WhatsApp users wait, so the default is not at all."""
    max_output_tokens: int = Field(default=800, ge=16, le=128_000)
    """Upper bound of an answer's length, in tokens."""


class Profile(Strict):
    """What WhatsApp shows about the business. Only the keys given here are managed."""

    about: Annotated[str, StringConstraints(max_length=139)] | None = Field(default=None, examples=["Cocina chilena"])
    """Short line under the name, at most 139 characters."""
    address: Annotated[str, StringConstraints(max_length=256)] | None = None
    """Street address."""
    description: Annotated[str, StringConstraints(max_length=512)] | None = None
    """Longer description, at most 512 characters."""
    vertical: Vertical | None = Field(default=None, examples=["Restaurant"])
    """Line of business, from WhatsApp's closed list."""
    emails: list[Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=128)]] | None = Field(
        default=None, max_length=1, examples=[["hola@lacocina.cl"]]
    )
    """Contact address; WhatsApp shows one."""
    websites: list[HttpUrl] | None = Field(default=None, max_length=2, examples=[["https://lacocina.cl"]])
    """Web pages; WhatsApp shows two."""
    logo_url: HttpUrl | None = None
    """Public URL of the logo."""


class Account(Strict):
    """A Twilio account of the client's own, for a client with its own WhatsApp Business Account."""

    sid: Annotated[str, StringConstraints(pattern=r"^AC[0-9a-f]{32}$")]
    """Account SID."""
    auth_token: SecretRef
    """Where the account's auth token is found."""


class Sender(Strict):
    """What Twilio holds for the number. Webhook URLs come from the settings, not from here."""

    profile: Profile = Field(default_factory=Profile)
    """The business profile."""
    account: Account | None = None
    """The client's own Twilio account; the shared one without it."""


class Client(Strict):
    """One client: one WhatsApp number, one assistant."""

    id: ClientId = Field(examples=["la-cocina"])
    """Identity: lower-case letters, digits and hyphens. Renaming the file changes nothing; changing this does."""
    name: str = Field(min_length=1, max_length=128, examples=["Restaurante La Cocina"])
    """Name as people say it."""
    state: Literal["active", "paused", "absent"] = "active"
    """`active`: answers. `paused`: messages are stored, nobody answers. `absent`: what the tool made is deleted; then
    remove the file."""
    number: Number = Field(examples=["+15551234567"])
    """WhatsApp number in E.164, in quotes, unique in the fleet."""
    assistant: Assistant
    """Who answers."""
    sender: Sender = Field(default_factory=Sender)
    """What Twilio holds for the number."""
    fallback_message: Annotated[str, StringConstraints(min_length=1, max_length=1600)] | None = Field(
        default=None, examples=["Tuvimos un problema técnico. Te responderemos a la brevedad."]
    )
    """What the user is told when no answer could be made; the installation's default without it."""
    protected: bool = False
    """A protected client is never deleted; the protection must be lifted in an earlier apply."""
    metadata: dict[
        Annotated[str, StringConstraints(min_length=1, max_length=64)],
        Annotated[str, StringConstraints(max_length=512)],
    ] = Field(
        default_factory=dict,
        max_length=16,
        examples=[{"cliente": "Restaurante La Cocina", "industria": "Restaurantes", "fecha_creacion": "2025-10-22"}],
    )
    """Notes of your own, text only; they travel with the bot."""
