"""How many processes ended over a message that they found half sent: one that ends them all is given up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0005"
down_revision = "1_0004"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("resumed", sa.Integer(), nullable=False, server_default="0"))
