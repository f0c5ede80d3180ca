"""What people ask for: blocks and opt-outs that outlive an erasure, their requests, receipts of what was done."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0038"
down_revision = "1_0037"

BLOCKED = sa.text("blocked_at IS NOT NULL")
OPEN = sa.text("answered_at IS NULL")


def upgrade() -> None:
    for name in ("blocked_at", "blocked_by"):
        op.add_column("conversations", sa.Column(name, sa.Text()))
    op.create_index("conversations_blocked", "conversations", ["id"], sqlite_where=BLOCKED, postgresql_where=BLOCKED)
    op.create_table(
        "person_marks",
        sa.Column("alias", sa.Text(), primary_key=True),
        sa.Column("client", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text()),
        comment="What holds for a person also after they were erased. `alias`: a keyed hash of an address; `client`:"
        " empty for all. kind: blocked | opted_out (`detail`: the list).",
    )
    op.create_table(
        "receipts",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("client", sa.Text()),
        sa.Column("people", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        comment="What was done for a person, without content. `people`: keyed hashes of their addresses; `hash`: over"
        " the hash of the receipt before and the document.",
    )
    op.create_table(
        "privacy_requests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("people", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("received_at", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Text(), nullable=False),
        sa.Column("registered_by", sa.Text(), nullable=False),
        sa.Column("acknowledged_at", sa.Text()),
        sa.Column("extended_at", sa.Text()),
        sa.Column("extended_because", sa.Text()),
        sa.Column("answered_at", sa.Text()),
        sa.Column("outcome", sa.Text()),
        sa.Column("proof", sa.Text()),
        sa.Column("receipt", sa.BigInteger()),
        comment="What people asked for under the law. `people`: keyed hashes of their addresses; `proof`: a reference"
        " to what was sent, without content.",
    )
    op.create_index("privacy_requests_open", "privacy_requests", ["due_at"], sqlite_where=OPEN, postgresql_where=OPEN)
