"""The kind `bot`: the row in the bot store that routes a number to an assistant."""

from __future__ import annotations

from typing import Final

from reconciler.kinds.bot import check, desired, live, plan
from reconciler.kinds.protocol import Kind

BOT: Final = Kind(
    name="bot",
    spanish="bot",
    desired=desired.values,
    check=check.check,
    plan=plan.plan,
    plan_absent=plan.plan_absent,
    undeclared=live.undeclared,
    is_in_store=True,
)
