"""Which bot answers what still comes in for one that was deleted as its number passed to another client."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0019"
down_revision = "1_0018"


def upgrade() -> None:
    op.create_table(
        "handovers",
        sa.Column("bot_id", sa.Text(), primary_key=True),
        sa.Column("successor", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        comment="Bots that were deleted as their numbers passed to others, which answer what still comes in for them.",
    )
