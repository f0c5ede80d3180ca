"""The number of a user as it was last shown, since WhatsApp hides numbers that it showed before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0032"
down_revision = "1_0030"


def upgrade() -> None:
    op.add_column("conversations", sa.Column("phone", sa.Text()))
