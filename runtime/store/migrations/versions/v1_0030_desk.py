"""Conversations at a desk (Chatwoot): where each is, and which of its messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0030"
down_revision = "1_0029"

HUMAN = sa.text("known_state = 'human'")
OPEN = sa.text("is_open = 1")
SENT = sa.text("outbox_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "desk_conversations",
        sa.Column("conversation_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("bot_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("desk_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("known_state", sa.Text()),
        sa.Column("note_at", sa.Text()),
        sa.Column("seen_id", sa.BigInteger(), nullable=False),
        sa.Column("inbox_from", sa.BigInteger(), nullable=False),
        sa.Column("outbox_from", sa.BigInteger(), nullable=False),
        comment="Where a conversation is at the desk: its number there. `status`: as last seen or set there;"
        " `known_state`: our state, as the desk knows it; `seen_id`: messages there up to this id are known;"
        " `inbox_from`, `outbox_from`: only later rows are shown there.",
    )
    op.create_index("desk_conversations_number", "desk_conversations", ["bot_id", "place", "desk_id"])
    op.create_index(
        "desk_conversations_people", "desk_conversations", ["bot_id"], sqlite_where=HUMAN, postgresql_where=HUMAN
    )
    op.create_table(
        "desk_messages",
        sa.Column("conversation_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("desk_id", sa.BigInteger()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outbox_id", sa.BigInteger()),
        sa.Column("reported", sa.Text()),
        sa.Column("error", sa.Text()),
        sa.Column("is_open", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        comment="Messages at the desk. key: in:<inbox>, out:<outbox>, note:<since> for those written there from here,"
        " desk:<id>:<part> for an operator's. state: sending | unsure | there | refused. `is_open`: its delivery is"
        " still to be reported.",
    )
    op.create_index("desk_messages_outbox", "desk_messages", ["outbox_id"], sqlite_where=SENT, postgresql_where=SENT)
    op.create_index(
        "desk_messages_open", "desk_messages", ["conversation_id"], sqlite_where=OPEN, postgresql_where=OPEN
    )
