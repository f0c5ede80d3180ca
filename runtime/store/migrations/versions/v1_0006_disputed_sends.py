"""Which messages under way may have been taken for another one of the same words, whose outcome was unknown."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0006"
down_revision = "1_0005"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("disputed", sa.Integer(), nullable=False, server_default="0"))
