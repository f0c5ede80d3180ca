"""Who answers in a conversation, since when, by whom, why and until when. So far the assistant does in all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0012"
down_revision = "1_0011"


def upgrade() -> None:
    op.add_column("conversations", sa.Column("state", sa.Text(), nullable=False, server_default="assistant"))
    for name in ("state_since", "state_by", "state_reason", "state_until"):
        op.add_column("conversations", sa.Column(name, sa.Text()))
    if op.get_bind().dialect.name == "postgresql":
        op.create_table_comment(
            "conversations",
            "One user of one bot. `thread_id` is the provider's, with the engines `assistants` and `agents`."
            " state: assistant | human | closed, says who answers.",
        )
