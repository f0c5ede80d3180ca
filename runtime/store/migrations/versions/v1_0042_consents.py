"""What people said when they were asked whether a model may read what they write."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0042"
down_revision = "1_0041"


def upgrade() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("bot_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), nullable=False),
        comment="What people said when they were asked whether a model may read what they write. state: yes | no |"
        " revoked; `by`: word | button; `text`: what they were asked, `version`: of it.",
    )
    op.create_index("consents_conversation", "consents", ["conversation_id", "id"])
    op.add_column("conversations", sa.Column("consent", sa.Text()))
