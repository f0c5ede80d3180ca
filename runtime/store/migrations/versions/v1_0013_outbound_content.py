"""What a message to a user consists of besides words: a media file, or a content template with its variables.

`body` stays filled with what a person would read, for programs that know nothing else; a row without `content` is text.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0013"
down_revision = "1_0012"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("content", sa.Text(), nullable=True))
