"""How the runtime answers for a bot, as one JSON column: a later key of it needs no step of its own.

An older program inserts rows without it, hence the default.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0009"
down_revision = "1_0008"


def upgrade() -> None:
    op.add_column("bots", sa.Column("policy", sa.Text(), nullable=False, server_default="{}"))
