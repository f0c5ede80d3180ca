"""The audit is read by client and by actor, the newest entries first, without reading the others."""

from __future__ import annotations

from alembic import op

revision = "1_0043"
down_revision = "1_0042"


def upgrade() -> None:
    op.create_index("audit_client", "audit", ["client", "id"])
    op.create_index("audit_actor", "audit", ["actor", "id"])
