"""When a user asked for no more proactive messages, and when they allowed them again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0018"
down_revision = "1_0017"


def upgrade() -> None:
    for name in ("opted_out_at", "opted_in_at"):
        op.add_column("conversations", sa.Column(name, sa.Text()))
