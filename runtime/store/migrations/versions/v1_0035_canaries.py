"""Canaries: since when one is declared, whether the runtime stopped it, and the turns of both variants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0035"
down_revision = "1_0034"

HAS_VARIANT = sa.text("variant IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "canaries",
        sa.Column("bot_id", sa.Text(), primary_key=True),
        sa.Column("canary", sa.Text(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("stopped_at", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("figures", sa.Text()),
        comment="The declared canary of a bot: a digest of it, from which version of the bot on, and whether the"
        " runtime has stopped it. `figures`: JSON, why.",
    )
    op.create_index(
        "turns_variants",
        "turns",
        ["bot_id", "variant", "id"],
        sqlite_where=HAS_VARIANT,
        postgresql_where=HAS_VARIANT,
    )
