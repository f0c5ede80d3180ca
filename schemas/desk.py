"""The block `handoff.desk` of a manifest: where people see conversations and answer, beside WhatsApp."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from schemas.secret_refs import SecretRef
from schemas.strict import Strict

LEAST_VERSION: Final = (4, 13)
"""Chatwoot's version from which an inbox's webhooks are signed."""

DeskUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/$.?#][^\s?#]*$", max_length=2048)]


class ChatwootInbox(Strict):
    """An inbox of the type API at Chatwoot 4.13 or later."""

    url: DeskUrl = Field(description="Where Chatwoot is reached.", examples=["https://chat.lacocina.cl"])
    account: int = Field(
        ge=1, le=2**31 - 1, description="The account's number, as in its addresses: /app/accounts/1.", examples=[1]
    )
    inbox: int = Field(
        ge=1,
        le=2**31 - 1,
        description="The inbox's number, as in its settings' address: /settings/inboxes/3.",
        examples=[3],
    )
    token: SecretRef = Field(
        description="Access token of a user of its own, who is an agent of the inbox.",
        examples=[{"env": "CHATWOOT_TOKEN"}],
    )
    webhook_secret: SecretRef = Field(
        description="The inbox's secret, with which Chatwoot signs its webhooks to /webhook/desk/<client>.",
        examples=[{"env": "CHATWOOT_HOOK"}],
    )


class DeskPolicy(Strict):
    """Where people see conversations and answer."""

    chatwoot: ChatwootInbox = Field(
        description="An inbox at Chatwoot, of this client alone.",
        examples=[
            {
                "url": "https://chat.lacocina.cl",
                "account": 1,
                "inbox": 3,
                "token": {"env": "CHATWOOT_TOKEN"},
                "webhook_secret": {"env": "CHATWOOT_HOOK"},
            }
        ],
    )
    mirror: Literal["handoff", "always"] | None = Field(
        default=None,
        description="Which conversations are shown there: those that people have, or all; handoff without it.",
        examples=["handoff"],
    )
    allow_private: bool | None = Field(
        default=None,
        description="Whether Chatwoot may be at http or at an address of one's own network; not unless true.",
        examples=[True],
    )
