"""How a person wants to be called who had that rectified; WhatsApp keeps sending the name that it has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0044"
down_revision = "1_0043"


def upgrade() -> None:
    op.add_column("conversations", sa.Column("rectified_name", sa.Text()))
