"""Where what is left of a deleted bot can be reached elsewhere."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0047"
down_revision = "1_0046"


def upgrade() -> None:
    op.create_table(
        "former_bots",
        sa.Column("bot_id", sa.Text(), primary_key=True),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("account_sid", sa.Text()),
        sa.Column("auth_token_env", sa.Text()),
        sa.Column("desk", sa.Text()),
        sa.Column("deleted_at", sa.Text(), nullable=False),
        comment="Bots that were deleted, of which something may be left at Twilio or at a desk. `desk`: as its policy"
        " had it, JSON.",
    )
