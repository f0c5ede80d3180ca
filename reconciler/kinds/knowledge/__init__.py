"""The kind `knowledge`: the documents that an assistant searches, in a vector store of OpenAI.

Documents in git are in a store of the client's own, known by the mark in its metadata; each file's attributes say which
path and which content it has. A store that the manifest names instead is kept by hand: it must be there, and nothing of
it is changed.
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
