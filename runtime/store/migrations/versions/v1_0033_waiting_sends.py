"""Messages that wait until their person writes again, and the template that asks for an answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0033"
down_revision = "1_0032"


def upgrade() -> None:
    for name in ("window_refused_at", "waiting_since"):
        op.add_column("conversations", sa.Column(name, sa.Text()))
    op.add_column("conversations", sa.Column("reopening_id", sa.BigInteger()))
    op.add_column("outbox", sa.Column("waits_until", sa.Text()))
    op.add_column("outbox", sa.Column("replaced_by", sa.BigInteger()))
