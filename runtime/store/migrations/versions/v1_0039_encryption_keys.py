"""The keys that texts of the store are encrypted with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0039"
down_revision = "1_0038"


def upgrade() -> None:
    op.create_table(
        "encryption_keys",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("since", sa.Text(), nullable=False),
        comment="Keys that texts are encrypted with, by their ids (a hash), until none is any more.",
    )
