"""Conversations that people have: who of them, a summary, notes, and what they write and send."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0029"
down_revision = "1_0028"

WITH_PEOPLE = sa.text("state <> 'assistant'")


def upgrade() -> None:
    for name in ("operator", "operator_at", "state_summary"):
        op.add_column("conversations", sa.Column(name, sa.Text()))
    op.add_column("conversations", sa.Column("seen_up_to", sa.BigInteger()))
    op.create_index(
        "conversations_people", "conversations", ["id"], sqlite_where=WITH_PEOPLE, postgresql_where=WITH_PEOPLE
    )
    for name in ("author", "withheld_at"):
        op.add_column("outbox", sa.Column(name, sa.Text()))
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "conversation_notes",
        sa.Column("id", serial, primary_key=True),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        comment="What people note about a conversation, for each other; its user never sees it.",
    )
    op.create_index("conversation_notes_conversation", "conversation_notes", ["conversation_id", "id"])
    op.create_table(
        "reply_files",
        sa.Column("sha256", sa.Text(), primary_key=True),
        sa.Column("conversation_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text(), nullable=False),
        comment="Files that people sent in a conversation: kept until a timer, or the user's erasure.",
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_table_comment(
            "conversations",
            "One user of one bot. `thread_id` is the provider's, with the engines `assistants` and `agents`."
            " state: assistant | human | closed, says who answers. `operator`: which person, once one has taken it;"
            " `operator_at`: when one last wrote; `seen_up_to`: the newest message in the inbox that one has read."
            " `referral_at`: a click on an ad that was not replied to; `free_until`: Meta charges nothing until then."
            " `notices`: JSON, when each notice was last sent that is due once a day.",
        )
        op.create_table_comment(
            "turns",
            "One answer in the making. state: running | answered | unanswered | dead | retried | dropped | operator"
            " (what a person wrote). `progress`: calls made. `reason`: why nobody answered, in one word. `used`:"
            " documents and functions.",
        )
        op.create_table_comment(
            "outbox",
            "Messages to send. channel: twiml | rest, claimed once. state: ready | postponed | sending | sent | failed"
            " | replaced (sent again by a later row) | withheld (a person took the conversation: `withheld_at`)."
            " `author`: the person who wrote it. `error_code`: Twilio's, once it is not sent again. `category`: Meta's."
            " `charged`: what is in the ledger (0 nothing, 1 Twilio's part, 2 Meta's too).",
        )
