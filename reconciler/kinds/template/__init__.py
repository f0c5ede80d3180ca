"""The kind `template`: message templates, made at Twilio and submitted to Meta's review.

Twilio keeps no metadata with them, so a client's are known by their names, and by the record of the last apply. Meta
approves a text once and for all: none is ever changed. A declared text that changes is another template; the one that
it replaces stays until `--prune`, since messages that name it may be under way.
"""

from __future__ import annotations

from typing import Final

from reconciler.kinds.protocol import Kind
from reconciler.kinds.template import check, desired, live, plan, unread

TEMPLATE: Final = Kind(
    name="template",
    spanish="plantillas",
    desired=desired.values,
    plan=plan.plan,
    plan_absent=plan.plan_absent,
    check=check.findings,
    unread=unread.unread,
    undeclared=live.undeclared,
    is_of_earlier_apply=plan.is_of_earlier_apply,
    is_optional=True,
)
