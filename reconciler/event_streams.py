"""A Twilio account's subscription to what Meta decides about its templates: what it is called and where it goes. Light,
since planning imports it.

    Meta ──► Twilio ──► sink: a webhook ──► the runtime, {PUBLIC_URL}/webhook/templates/{account}
                          └── subscription: com.twilio.messaging.template.approval.updated

A sink has no metadata and is never changed: it is ours where it goes to our webhook, also one made by hand. One that
the last apply made, for another address of the runtime, is known by its record.
"""

from __future__ import annotations

from typing import Final

from reconciler.model import Values
from reconciler.settings import Settings

KIND: Final = "event_stream"
PATH: Final = "/webhook/templates"
TYPE: Final = "com.twilio.messaging.template.approval.updated"
SCHEMA_VERSION: Final = 1
DESCRIPTION: Final = "horizonai-reconciler: templates"
ACTIVE: Final = "active"


def values(settings: Settings, account_sid: str) -> Values:
    """What is declared for an account."""
    destination = f"{settings.public_url}{PATH}/{account_sid}"
    return {"destination": destination, "status": ACTIVE, "events": TYPE}
