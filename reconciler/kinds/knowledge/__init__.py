"""The kind `knowledge`: the documents that an assistant searches, in a vector store of OpenAI.

Documents in git are in a store of the client's own, known by the marker in its metadata; each file's attributes hold
its path and its content's hash. A store that the manifest names instead is maintained by hand: it must exist, and
nothing of it is changed.
"""

from __future__ import annotations

from typing import Final

from reconciler.kinds.knowledge import desired, live, plan, unread
from reconciler.kinds.protocol import Kind

KNOWLEDGE: Final = Kind(
    name="knowledge",
    spanish="documentos",
    desired=desired.values,
    plan=plan.plan,
    plan_absent=plan.plan_absent,
    unread=unread.unread,
    failed=unread.failed,
    undeclared=live.undeclared,
    is_optional=True,
)
