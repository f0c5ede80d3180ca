"""The kind `content`: what buttons and lists need at Twilio, once in each account.

A content is a shape without words (`schemas.content_shapes`), so all clients of an account share it: the first one that
offers choices makes them, later ones find them, and none deletes them. They are known by their names, and never
submitted for approval. What Twilio does not take is recorded, and not tried again: the runtime shows buttons as a list
then, and a list in words.
"""

from __future__ import annotations

from typing import Final

from reconciler.kinds.content import check, desired, live, plan, unread
from reconciler.kinds.protocol import Kind

CONTENT: Final = Kind(
    name="content",
    spanish="botones y listas",
    desired=desired.values,
    check=check.check,
    plan=plan.plan,
    plan_absent=plan.plan_absent,
    unread=unread.unread,
    undeclared=live.undeclared,
    is_optional=True,
)
