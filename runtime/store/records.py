"""The bot store's records that every plan is made from, as plain frozen values; the runtime has the same.

Those of a store's history and of what bots do are in `history_records` and `activity_records`: a class takes a third
of a millisecond to make, and a plan without changes needs none of them.

Times are ISO 8601 in UTC ("2026-11-22T12:00:00Z"). Nothing here reads or writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

State = Literal["active", "paused"]

ASSISTANT_PREFIX, AGENT_PREFIX = LIVE_PREFIXES = ("asst_", "agent_")
"""Prefixes of a provider's ids: of the Assistants API, and of the Agents API."""
INSTALLATION: Final = "installation"
"""In place of a client's id, in a record of the last apply that is of no client."""
ATTEMPTS_OF_SENDER: Final = "verification"
"""Under this kind, and the number in place of a client, are the attempts at registering a number with WhatsApp."""


@dataclass(frozen=True, slots=True)
class AssistantRecord:
    """An assistant of the engine `responses`, which is sent to the model with each turn."""

    id: str
    name: str
    instructions: str
    model: str
    tools: Sequence[Mapping[str, Any]] = ()
    """Tools as the Responses API accepts them; the endpoints of functions are in the bot's `functions`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """`reasoning_effort`, `max_output_tokens`."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    client: str | None = None
    managed_by: str | None = None
    """Manifest that declares it, None when it was created through the API."""
    version: int = 1
    created_at: str = ""
    updated_at: str = ""

    @property
    def label(self) -> str:
        """Whose it is: its client's id, or its own where it was created through the API."""
        return self.client or self.id


@dataclass(frozen=True, slots=True)
class BotRecord:
    """Routes one WhatsApp number to one assistant."""

    id: str
    name: str
    twilio_phone_number: str
    """E.164, unique."""
    assistant_id: str | None = None
    """An AssistantRecord's id, or the id of a live object of the Assistants API or the Agents API."""
    instructions: str | None = None
    """Replaces the assistant's instructions on this number when set; likewise `model`."""
    model: str | None = None
    state: State = "active"
    account_sid: str | None = None
    """Twilio account of the client's own."""
    auth_token_env: str | None = None
    """Name of the environment variable with that account's token."""
    fallback_message: str | None = None
    functions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Function tool name → its endpoint, in the shape of `endpoint_values`."""
    policy: Mapping[str, Any] = field(default_factory=dict)
    """How the runtime answers, as `schemas.policy` writes and reads it. Stored unchanged: an unknown key comes from a
    newer program."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False
    """The reconciler refuses to delete its client; stored here so that it outlives the manifest."""
    client: str | None = None
    managed_by: str | None = None
    version: int = 1
    created_at: str = ""
    updated_at: str = ""

    @property
    def label(self) -> str:
        """Its name in logs and metrics: its client's id, or its own where it was created through the API."""
        return self.client or self.id


def endpoint_values(
    url: object,
    secret_env: object,
    timeout_seconds: float,
    authorization_env: object = None,
    follow_redirects: bool = False,
    user: object = None,
    idempotent: bool = False,
) -> dict[str, Any]:
    """A function's endpoint as a bot has it. What is not used of the keys that the first version did not have is left
    out: an older replica accepts such a bot, and its rows are equal to these.
    """
    values = {"url": url, "secret_env": secret_env, "timeout_seconds": timeout_seconds}
    if authorization_env is not None:
        values["authorization_env"] = authorization_env
    if follow_redirects:
        values["follow_redirects"] = True
    if user is not None:
        values["user"] = user
    if idempotent:
        values["idempotent"] = True
    return values


@dataclass(frozen=True, slots=True)
class AppliedRecord:
    """The values that the last successful apply wrote for one resource: the base of a three-way diff, and the binding
    of a client to a live object without metadata (a Twilio sender)."""

    client: str
    kind: str
    live_id: str
    values: Mapping[str, Any]
    """The declared values, normalised; never a secret."""
    applied_at: str = ""


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """A row that cannot be read, since something in it is not what this program writes. The other rows can."""

    table: str
    key: Mapping[str, str]
    """The columns of its primary key, in their order."""
    damaged: str
    """What is wrong with it, without a final stop: "`functions` is not JSON"."""
    client: str | None = None
    """The client that it belongs to; None for a bot or an assistant that was created through the API."""
    number: str | None = None
    """A bot's."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that planning needs from the store, read in one transaction."""

    bots: Sequence[BotRecord]
    assistants: Sequence[AssistantRecord]
    applied: Sequence[AppliedRecord]
    exists: bool = True
    """False when there is no store yet: the first apply creates it."""
    damaged: Sequence[DamagedRecord] = ()
    """Rows of these tables that cannot be read."""
