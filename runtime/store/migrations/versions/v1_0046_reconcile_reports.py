"""What `reconcile --report` recorded last, for the console."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0046"
down_revision = "1_0045"


def upgrade() -> None:
    op.create_table(
        "reconcile_reports",
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("client", sa.Text(), primary_key=True),
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("git_sha", sa.Text()),
        sa.Column("digest", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("document", sa.Text()),
        comment="The last result of each kind that `reconcile --report` recorded, of each client and of the fleet"
        " (client ''); of applies the newest ones of the fleet, each with its run. `found`: JSON; `document`: a plan as"
        " HTML.",
    )
    op.create_index("reconcile_reports_client", "reconcile_reports", ["client", "kind"])
