"""Messages with files that Twilio still has are found by an index, which holds no others: `data.retention.media`.

PostgreSQL holds up writers while it makes the index: about a second for 300,000 messages.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0025"
down_revision = "1_0024"


def upgrade() -> None:
    op.create_index(
        "inbox_files",
        "inbox",
        ["bot_id", "received_at"],
        sqlite_where=sa.text("instr(content, '\"url\":') > 0 AND instr(content, '\"deleted_at\":') = 0"),
        postgresql_where=sa.text("strpos(content, '\"url\":') > 0 AND strpos(content, '\"deleted_at\":') = 0"),
    )
