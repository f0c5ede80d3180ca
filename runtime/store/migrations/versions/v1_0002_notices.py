"""What `reconcile drift --notify` has told already, so that it is not told every night."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0002"
down_revision = "1_0001"


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("notified_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "finding"),
        comment="Findings of drift that were told, each on a channel (a digest of its address), until they are gone.",
    )
