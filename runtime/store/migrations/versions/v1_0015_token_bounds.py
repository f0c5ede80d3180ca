"""What a token may not: clients that it is bound to, a time at which it expires. And when it was last used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0015"
down_revision = "1_0014"


def upgrade() -> None:
    for name in ("clients", "expires_at", "last_used_at"):
        op.add_column("tokens", sa.Column(name, sa.Text()))
    if op.get_bind().dialect.name == "postgresql":
        op.create_table_comment(
            "tokens",
            "scope: one or more words with a blank between them. `clients`: ids, likewise; all without it.",
        )
        op.create_table_comment(
            "audit", "Who changed what through the API; `overridden` is the manifest that declared it before."
        )
