"""Which proactive messages a user wants no more of, and by what they said so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0028"
down_revision = "1_0025"


def upgrade() -> None:
    for name in ("opted_out_of", "opted_out_by"):
        op.add_column("conversations", sa.Column(name, sa.Text()))
