"""Model of a plan as JSON, what `--format json` prints. Only its schema is used: a promise to programs that read plans.

It is closed: a key that is not described here is not printed, and another shape has another `format_version`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from schemas.strict import Strict

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Kind = Literal["knowledge", "template", "assistant", "content", "bot", "sender", "tariffs", "event_stream"]
"""`tariffs` are the installation's, not a client's: `client` is then `installation`."""


class FieldDocument(Strict):
    """A declared field that differs; null where it is not set."""

    old: Any = Field(description="Its live value.")
    new: Any = Field(description="Its declared value.")


class EditDocument(Strict):
    """Who changed a live object through the runtime's API, and when."""

    action: Literal["change", "delete"]
    actor: str = Field(description="The name of the token that was used.")
    at: str = Field(description="A timestamp in UTC: `2026-11-22T10:00:00Z`.")
    fields: list[str] = Field(description="What was changed, by name.")


class ChangeDocument(Strict):
    """One write to one resource of one client."""

    id: str = Field(description="Unique within the plan, and the same in every plan of the same content.")
    client: str
    kind: Kind
    action: Literal["create", "update", "delete", "detach", "adopt", "rename"]
    key: str = Field(description="The resource's name for people: a number, an engine.")
    live_id: str | None = Field(description="The provider's id; null for what is created.")
    reason: Literal["config", "drift", "both"] = Field(
        description="The manifest changed, the live object was changed, or both."
    )
    edit: EditDocument | None = Field(
        description="The last author of a live change; null where no API reports one. Not in the digest."
    )
    fields: dict[str, FieldDocument] = Field(description="By path: `webhook.callback_url`, `tools[0].name`.")
    depends_on: list[str] = Field(description="Ids of changes that are applied before this one.")


class FindingDocument(Strict):
    """A message about a client or the fleet."""

    severity: Literal["error", "withheld", "warning", "notice"]
    client: str | None
    kind: Kind | None
    message: str


class OrphanDocument(Strict):
    """A live object with our marker that no manifest declares any more."""

    client: str
    kind: Kind
    key: str
    live_id: str


class EstimateDocument(Strict):
    """What changes of a client do to the costs of its month, from its own last 30 days. Not in the digest."""

    client: str
    answers: Count = Field(description="In those 30 days.")
    nano_usd: int | None = Field(description="10⁻⁹ US dollars more a month; null where no price is known.")
    tokens: int = Field(description="By how many tokens, about, the instructions get longer.")
    models: list[str] | None = Field(description="The former and the coming model; null where it stays.")
    dropped_tools: list[str] = Field(description="Tools that the assistant loses and that cost something themselves.")


class TemplateStateDocument(Strict):
    """What Meta says about a client's template. Not in the digest."""

    client: str
    name: str = Field(description="Its name in the manifest.")
    content: str = Field(description="Its name at Twilio.")
    sid: str = Field(description="Twilio's id of the content.")
    declared: str = Field(description="Its category in the manifest.")
    category: str | None = Field(description="What Meta charges it as; null before it is submitted.")
    status: str = Field(description="unsubmitted, received, pending, approved, rejected, paused, disabled, …")
    rejection_reason: str


class LeaveDocument(Strict):
    """A client's leave to pass people's data on."""

    contract: str
    since: str = Field(description="A date: `2026-11-01`.")


class RecipientDocument(Strict):
    """Who newly gets people's data, or does so without leave of the client. Not in the digest."""

    client: str
    name: str = Field(description="A host, an address, a variable with one, or openai, twilio, meta, hosting.")
    role: Literal["model", "channel", "whatsapp", "hosting", "function", "server", "desk", "notified"]
    gets: list[str] = Field(description="What of people: messages, voice, files, arguments, …")
    through: list[str] = Field(description="By which functions, servers or endpoints of OpenAI.")
    is_new: bool = Field(description="Whether it gets them from this plan on.")
    leave: LeaveDocument | None = Field(description="As data.recipients names it; null without.")


class OutcomeDocument(Strict):
    """The outcome of one change."""

    id: str = Field(description="The change's id.")
    status: Literal["applied", "failed", "skipped"]
    live_id: str | None
    error: str | None
    note: str | None = Field(description="What the provider made of applied values, where it shows others.")


class SummaryDocument(Strict):
    """Counts."""

    clients: Count = Field(description="Manifests that were considered.")
    create: Count
    update: Count
    delete: Count = Field(description="Deletes and detaches.")
    rename: Count = Field(description="Objects that get the client's new id and stay as they are otherwise.")
    errors: Count
    withheld: Count = Field(description="Clients that wait for something outside of git.")
    unresolved: Count
    orphans: Count
    unmanaged: Count = Field(description="Live objects without our marker, which were left unchanged.")


class PlanDocument(Strict):
    """A plan and, after an apply, its outcome."""

    format_version: Literal[1] = Field(
        description="Incremented when a reader of an older format could be misled.", examples=[1]
    )
    digest: Digest = Field(description="SHA-256, equal exactly when two plans' content is.")
    summary: SummaryDocument
    changes: list[ChangeDocument] = Field(description="In the order of applying.")
    adoptions: list[ChangeDocument] = Field(description="Created by hand and as declared: an apply records them.")
    findings: list[FindingDocument]
    withheld: list[str] = Field(
        description="Clients of which a part waits for something outside of git, such as a number that is not "
        "registered; no failure."
    )
    unresolved: list[str] = Field(
        description="Clients of which a source could not be read; nothing of them is changed."
    )
    orphans: list[OrphanDocument]
    estimates: list[EstimateDocument] = Field(default=[], description="Present where anything can be estimated.")
    recipients: list[RecipientDocument] = Field(default=[], description="Present where a plan shows any.")
    templates: list[TemplateStateDocument] = Field(default=[], description="Present where a client declares any.")
    outcomes: list[OutcomeDocument] = Field(default=[], description="Present after an apply only.")
