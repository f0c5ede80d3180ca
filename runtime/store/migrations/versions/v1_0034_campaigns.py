"""Sends to lists of people, each of them once; proactive messages are counted by an index, which holds no others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0034"
down_revision = "1_0033"

PROACTIVE = sa.text("turn_id IS NULL")


def upgrade() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("bot_id", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("unit_cost", sa.BigInteger(), nullable=False),
        sa.Column("is_quiet_at_night", sa.Boolean(), nullable=False),
        comment="Sends of a template to lists of people. state: running | stopped | done. `unit_cost`: 10⁻⁹ USD a"
        " message.",
    )
    op.create_table(
        "campaign_rows",
        sa.Column("campaign_id", sa.Text(), primary_key=True),
        sa.Column("line", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("variables", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("outbox_id", sa.BigInteger()),
        sa.UniqueConstraint("campaign_id", "recipient", name="campaign_rows_recipient"),
        comment="Their people, each once. state: waiting | sending | sent | skipped | failed.",
    )
    op.add_column("outbox", sa.Column("campaign_id", sa.Text()))
    op.create_index(
        "outbox_proactive", "outbox", ["bot_id", "created_at"], sqlite_where=PROACTIVE, postgresql_where=PROACTIVE
    )
