"""Since when a conversation is a loop between programs, and when its user last got the fallback message."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0017"
down_revision = "1_0016"


def upgrade() -> None:
    for name in ("loop_since", "fallback_at"):
        op.add_column("conversations", sa.Column(name, sa.Text()))
    known = sa.text("loop_since IS NOT NULL")
    op.create_index("conversations_loops", "conversations", ["loop_since"], sqlite_where=known, postgresql_where=known)
