"""When each bot was last written to is read off an index; it took a pass over every message that ever came in.

PostgreSQL holds up writers while it makes the index: about a second for 300,000 messages.
"""

from __future__ import annotations

from alembic import op

revision = "1_0004"
down_revision = "1_0003"


def upgrade() -> None:
    op.create_index("inbox_bot", "inbox", ["bot_id", "received_at"])
