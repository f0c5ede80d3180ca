"""What a message consists of, as JSON. Until now a message was its text (`body`), and the rest of its parameters was
stored (`params`) but not read.

The first of three releases (docs/adr/0009). This one writes `content` and `body`, and reads `body` of a row that a
replica of the release before stores beside it. The next one fills `content` where it is missing and reads `body` no
more, but still writes it for replicas of this one. The one after that, a new generation, drops it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0011"
down_revision = "1_0010"


def upgrade() -> None:
    op.add_column("inbox", sa.Column("content", sa.Text()))
