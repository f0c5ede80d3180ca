"""What is deleted since its retention is over: each run with its counts, and what a report says of months whose
messages are deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0037"
down_revision = "1_0036"


def upgrade() -> None:
    op.create_table(
        "rolled_up_months",
        sa.Column("client", sa.Text(), primary_key=True),
        sa.Column("month", sa.Text(), primary_key=True),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        comment="What a report says of a month whose messages are deleted as their retention is over; `figures`: JSON.",
    )
    op.create_table(
        "retention_runs",
        sa.Column("client", sa.Text(), primary_key=True),
        sa.Column("began_at", sa.Text(), primary_key=True),
        sa.Column("ended_at", sa.Text()),
        sa.Column("retention", sa.Text(), nullable=False),
        sa.Column("deleted", sa.Text(), nullable=False),
        sa.Column("kept", sa.Text(), nullable=False),
        comment="What was deleted since its retention was over. `retention`: as it was declared; `deleted`, `kept`:"
        " JSON, how many of what, and of what is over too and is not settled. One that deleted nothing is replaced.",
    )
