"""The kind `sender`: what Twilio holds for the number. Attached last, since this switches traffic on.

A sender is found by its number, never created here (registering one needs a code that Meta sends to its owner).
Undeclared fields are kept: writes send the live webhook and profile back with the declared fields changed.
"""

from __future__ import annotations

from typing import Final

from reconciler.kinds.protocol import Kind
from reconciler.kinds.sender import desired, live, plan, services, unread

SENDER: Final = Kind(
    name="sender",
    spanish="número de WhatsApp",
    desired=desired.values,
    plan=plan.plan,
    plan_absent=plan.plan_absent,
    unread=unread.unread,
    failed=services.unread_services,
    undeclared=live.undeclared,
    is_of_earlier_apply=plan.has_every_url,
)
