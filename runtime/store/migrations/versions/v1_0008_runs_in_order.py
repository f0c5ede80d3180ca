"""Applies are numbered by the store: two that begin in one second have no other order, and a clock may be set back.

An older program goes on adding runs, which are numbered too; the index that it sorts by is not missed among so few.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0008"
down_revision = "1_0007"

COMMENT = "Applies. `number` is their order: a second may hold several, and clocks are set back."
COLUMNS = "id, started_at, actor, digest, git_sha, finished_at, outcome, changes"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _in_place()
    else:
        _copied()


def _in_place() -> None:
    """PostgreSQL: whoever may read the table still may."""
    op.execute("ALTER TABLE runs ADD COLUMN number BIGSERIAL")
    # Under the lease one begins after the other has finished, which is what is known of two of the same second.
    op.execute(
        "UPDATE runs SET number = sorted.position FROM"
        " (SELECT id, row_number() OVER (ORDER BY started_at, finished_at, id) AS position FROM runs) AS sorted"
        " WHERE sorted.id = runs.id"
    )
    op.execute(
        "ALTER TABLE runs DROP CONSTRAINT runs_pkey, ADD PRIMARY KEY (number), ADD CONSTRAINT runs_id UNIQUE (id)"
    )
    op.drop_index("runs_started_at", "runs")
    op.create_table_comment("runs", COMMENT)


def _copied() -> None:
    """SQLite gives a table no other key; `rowid` is the order in which the runs came."""
    op.create_table(
        "numbered_runs",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("git_sha", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id", name="runs_id"),
        comment=COMMENT,
    )
    op.execute(f"INSERT INTO numbered_runs ({COLUMNS}) SELECT {COLUMNS} FROM runs ORDER BY rowid")  # noqa: S608
    op.drop_table("runs")
    op.rename_table("numbered_runs", "runs")
