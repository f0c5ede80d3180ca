"""The kind `assistant`: instructions, model and tools.

Engine `responses`: a record in the bot store, sent along with each turn. Engines `assistants` and `agents`: a live
object at the provider, known by the marker in its metadata. In both cases the model must be one that the provider
lists.
"""

from __future__ import annotations

from typing import Final

from reconciler.kinds.assistant import check, desired, live, plan, unread
from reconciler.kinds.protocol import Kind

ASSISTANT: Final = Kind(
    name="assistant",
    spanish="asistente",
    desired=desired.values,
    check=check.check,
    plan=plan.plan,
    plan_absent=plan.plan_absent,
    unread=unread.unread,
    failed=unread.failed,
    undeclared=live.undeclared,
    is_in_store=True,
)
