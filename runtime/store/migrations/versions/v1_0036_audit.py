"""The audit has who read what, of which client and from where, and is only added to. Tokens can be exchanged: for a
while the former one is valid beside the new one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1_0036"
down_revision = "1_0035"

FORMER = sa.text("former_digest IS NOT NULL")
SQLITE = (
    """CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END""",
    """CREATE TRIGGER audit_not_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END""",
    """CREATE TRIGGER audit_kept BEFORE DELETE ON audit WHEN OLD.at >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-90 days')
    BEGIN SELECT RAISE(ABORT, 'the audit of the last 90 days is kept'); END""",
)
POSTGRESQL = (
    """CREATE FUNCTION audit_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.at < to_char((now() AT TIME ZONE 'UTC') - interval '90 days', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'the audit of the last 90 days is kept';
        END IF;
        RAISE EXCEPTION 'the audit is only added to';
    END $$""",
    """CREATE TRIGGER audit_unchanged BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_only_added_to()""",
    """CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_only_added_to()""",
)


def upgrade() -> None:
    for name in ("client", "via", "address", "conversations"):
        op.add_column("audit", sa.Column(name, sa.Text()))
    op.create_index("audit_at", "audit", ["at"])
    for name in ("former_digest", "former_until"):
        op.add_column("tokens", sa.Column(name, sa.Text()))
    op.create_index(
        "tokens_former", "tokens", ["former_digest"], unique=True, sqlite_where=FORMER, postgresql_where=FORMER
    )
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in POSTGRESQL if is_postgresql else SQLITE:
        op.get_bind().exec_driver_sql(statement)
    if is_postgresql:
        op.create_table_comment(
            "audit",
            "Who read what people wrote, and who changed what; only added to. `overridden` is the manifest that"
            " declared it before, `conversations` a JSON list of ids.",
        )
        op.create_table_comment(
            "tokens",
            "scope: one or more words with a blank between them. `clients`: ids, likewise; all without it."
            " `former_digest`: of the token before an exchange, valid until `former_until`.",
        )
