"""Operators of the console, their sessions, and failed sign-ins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0040"
down_revision = "1_0039"


def upgrade() -> None:
    op.create_table(
        "operators",
        sa.Column("email", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("clients", sa.Text()),
        sa.Column("password", sa.Text()),
        sa.Column("totp_secret", sa.Text(), nullable=False),
        sa.Column("totp_used", sa.BigInteger()),
        sa.Column("invitation", sa.Text(), unique=True),
        sa.Column("invited_until", sa.Text()),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.Text()),
        sa.Column("signed_in_at", sa.Text()),
        comment="People who sign in to the console. role: viewer | operator | privacy | admin. `clients`: ids with a"
        " blank between them; all without it. `invitation`: a digest, until it is accepted. `totp_used`: the time step"
        " of the last code of the second factor.",
    )
    op.create_table(
        "console_sessions",
        sa.Column("digest", sa.Text(), primary_key=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Text(), nullable=False),
        sa.Column("address", sa.Text()),
        comment="Sessions of the console. step: code (the second factor is still to come) | open.",
    )
    op.create_index("console_sessions_email", "console_sessions", ["email"])
    op.create_index("console_sessions_expires", "console_sessions", ["expires_at"])
    op.create_table(
        "sign_in_failures",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        comment="Failed sign-ins of an account (a digest of its address of mail) or from an address, which count until"
        " then.",
    )
    op.create_index("sign_in_failures_until", "sign_in_failures", ["until"])
