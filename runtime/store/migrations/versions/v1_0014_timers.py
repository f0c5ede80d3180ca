"""What is to be done at a time, once, by any process that serves the store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0014"
down_revision = "1_0013"


def upgrade() -> None:
    op.create_table(
        "timers",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Text(), nullable=False),
        sa.Column("put_at", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("held_until", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "key"),
        comment="What is to be done at a time, once. `holder` runs it; nobody else does before `held_until`.",
    )
    op.create_index("timers_due", "timers", ["due_at"])
