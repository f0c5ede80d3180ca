"""The block `handoff` of a manifest.

    trigger ──► the person reads `tell` ──► people are notified ──► again, where none answers (`escalate_after`)
                                                      └──► the assistant resumes (`resume_after`)

Here is what may be declared; the runtime decides when one of the triggers has happened.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from schemas.data_policy import Duration, seconds_of
from schemas.desk import DeskPolicy
from schemas.secret_refs import SecretRef
from schemas.strict import Strict

RESUME_AFTER: Final = "4h"
AFTER_FAILURES: Final = 2
OPENING: Final = "{opening}"
"""The placeholder in `tell`."""
TELL: Final = "Te paso con una persona de nuestro equipo. Te responderemos por aquí {opening}."
SOON: Final = "lo antes posible"
"""What the placeholder becomes where nothing is known of hours, or people are there now."""

Phrase = Annotated[str, StringConstraints(min_length=3, max_length=80)]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s:/]+@[^@\s:/]+$", max_length=254)]
Notified = Annotated[
    Annotated[SecretRef, Tag("SecretRef")] | Annotated[Address, Tag("address")],
    Discriminator(lambda value: "address" if isinstance(value, str) else "SecretRef"),
]


class HandoffPolicy(Strict):
    """When people answer instead of the assistant, who is notified, and when the assistant resumes."""

    phrases: Annotated[list[Phrase], Field(max_length=50)] | None = Field(
        default=None,
        description=(
            "What a person writes or says to reach a person, as part of any message, beside the built-in phrases in "
            'Spanish, English and Portuguese ("hablar con una persona").'
        ),
        examples=[["hablar con la dueña"]],
    )
    after_failures: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description=f"Turns in a row without an answer after which people have it; {AFTER_FAILURES} without it.",
        examples=[2],
    )
    on_budget: bool | None = Field(
        default=None,
        description="Whether people have it when the month's budget is used up and pauses the assistant; unless false.",
        examples=[False],
    )
    tell: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = Field(
        default=None,
        description=(
            'What the person reads then. {opening} becomes "mañana desde las 9:00", for example, outside the opening '
            'hours, and "lo antes posible" within them, or where none are declared.'
        ),
        examples=["Te paso con Carla. Te responderá por aquí {opening}."],
    )
    notify: Annotated[list[Notified], Field(max_length=10)] | None = Field(
        default=None,
        description=(
            "Who is notified: e-mail addresses, which get the conversation, over the mail server of the setting "
            "ALERT_NOTIFY; or an address of Apprise in an environment variable of the runtime. The channels of "
            "ALERT_NOTIFY without it."
        ),
        examples=[["turno@lacocina.cl", {"env": "LA_COCINA_SLACK"}]],
    )
    resume_after: Literal["never"] | Duration = Field(
        default=RESUME_AFTER,
        description=(
            "How long after a person last wrote, or after the handoff where none did, the assistant answers again; or "
            "never: then only when a person gives the conversation back, or closes it."
        ),
        examples=["4h"],
    )
    escalate_after: Annotated[int, Field(ge=1, le=1440)] | None = Field(
        default=None,
        description="Minutes after which people are notified again, where none has answered; once.",
        examples=[15],
    )
    desk: DeskPolicy | None = Field(
        default=None,
        description="Where people see the conversations that they have, and answer; nowhere without it.",
        examples=[
            {
                "chatwoot": {
                    "url": "https://chat.lacocina.cl",
                    "account": 1,
                    "inbox": 3,
                    "token": {"env": "CHATWOOT_TOKEN"},
                    "webhook_secret": {"env": "CHATWOOT_HOOK"},
                }
            }
        ],
    )

    @property
    def resume_seconds(self) -> float | None:
        """Seconds until the assistant resumes; None: never by itself."""
        return None if self.resume_after == "never" else float(seconds_of(self.resume_after))


def sentence_for_person(policy: HandoffPolicy, opening: str = SOON) -> str:
    """What the person reads; `opening`: when people are there next, in words."""
    return (policy.tell or TELL).replace(OPENING, opening)


def references_of(handoff: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The environment variables that the block names in a bot's row, each with what fails without it."""
    notified = (handoff or {}).get("notify") or ()
    found = [(one["env"], "notices of handoffs") for one in notified if isinstance(one, dict) and "env" in one]
    chatwoot = ((handoff or {}).get("desk") or {}).get("chatwoot") or {}
    for key, fails in (("token", "its desk: nothing is shown there"), ("webhook_secret", "its desk: it is not heard")):
        if isinstance(chatwoot.get(key), dict) and "env" in chatwoot[key]:
            found.append((chatwoot[key]["env"], fails))
    return [(str(variable), fails) for variable, fails in found]
