"""Why a turn was not answered, and which variant of its bot answered it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0010"
down_revision = "1_0009"


def upgrade() -> None:
    for name in ("variant", "reason"):
        op.add_column("turns", sa.Column(name, sa.Text()))
    if op.get_bind().dialect.name == "postgresql":
        op.create_table_comment(
            "turns",
            "One answer in the making. state: running | answered | unanswered | dead | retried | dropped."
            " `progress`: calls made. `reason`: why nobody answered, in one word.",
        )
        op.create_table_comment(
            "inbox",
            "Messages taken in. state: open | answered | unanswered (the turn has the reason) | limited | dead"
            " | dropped.",
        )
