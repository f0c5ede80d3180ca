"""Files that bots may send, by their content."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0024"
down_revision = "1_0022"


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("sha256", sa.Text(), primary_key=True),
        sa.Column("upload", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("unnamed_since", sa.Text()),
        comment="Files that bots may send, whole. `unnamed_since`: no policy has named it since then.",
    )
    op.create_table(
        "file_pieces",
        sa.Column("upload", sa.Text(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        comment="Their bytes, in pieces of one size. `upload` begins with when it began; one without a file was"
        " interrupted.",
    )
