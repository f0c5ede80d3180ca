"""Links that show a client's report to anyone who has them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0045"
down_revision = "1_0044"


def upgrade() -> None:
    op.create_table(
        "report_links",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("digest", sa.Text(), nullable=False, unique=True),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.Text()),
        sa.Column("opened_at", sa.Text()),
        comment="Links that show a client's report to anyone who has them, until they expire or are revoked."
        " `digest`: of the token in the address. `label`: whom it was made for.",
    )
