"""Why a message did not reach its user, and which attempt to send it a row is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0016"
down_revision = "1_0015"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("outbox", sa.Column("error_code", sa.Text(), nullable=True))
    has_code = sa.text("error_code IS NOT NULL")
    op.create_index(
        "outbox_undelivered",
        "outbox",
        ["bot_id", "created_at"],
        sqlite_where=has_code,
        postgresql_where=has_code,
    )
    if op.get_context().dialect.name == "postgresql":
        op.create_table_comment(
            "outbox",
            "Messages to send. channel: twiml | rest, claimed once. state: ready | postponed | sending | sent | failed"
            " | replaced (sent again by a later row). `error_code`: Twilio's, once it is not sent again.",
        )
