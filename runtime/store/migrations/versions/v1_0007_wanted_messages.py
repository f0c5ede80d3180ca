"""How much was written to a client in a minute is counted off an index that leaves out what was too much: a flood makes
it no longer. SQLite's one process counts by itself.

PostgreSQL holds up writers while it makes the index: about a second for 300,000 messages.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0007"
down_revision = "1_0006"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "inbox_wanted", "inbox", ["bot_id", "received_at"], postgresql_where=sa.text("state <> 'limited'")
        )
