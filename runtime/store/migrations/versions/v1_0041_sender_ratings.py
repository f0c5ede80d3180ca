"""What Meta said of each number over time: its quality, and how many people it may write to first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0041"
down_revision = "1_0040"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sender_ratings",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("quality", sa.Text()),
        sa.Column("messaging_limit", sa.Text()),
        comment="What Twilio and Meta said of a number, a row for each change.",
    )
    op.create_index("sender_ratings_newest", "sender_ratings", ["number", "id"])
