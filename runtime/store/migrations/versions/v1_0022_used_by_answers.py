"""Which documents and functions an answer was made with, for reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0022"
down_revision = "1_0021"

COMMENT = (
    "One answer in the making. state: running | answered | unanswered | dead | retried | dropped."
    " `progress`: calls made. `reason`: why nobody answered, in one word. `used`: documents and functions."
)


def upgrade() -> None:
    op.add_column("turns", sa.Column("used", sa.Text()))
    if op.get_bind().dialect.name == "postgresql":
        op.create_table_comment("turns", COMMENT)
