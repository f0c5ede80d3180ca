"""procrastinate's tables, which let any replica on PostgreSQL run a turn. SQLite's one process needs none.

The schema is that of the version which pyproject.toml pins, applied whole: its own steps cannot run in one transaction.
When an upgrade of procrastinate changes it, a step of ours applies the difference where it is not there yet.
"""

from __future__ import annotations

from typing import Any

from alembic import op

revision = "1_0003"
down_revision = "1_0002"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    from procrastinate.schema import SchemaManager

    # To the driver itself: the text has many statements and signs that SQLAlchemy would take for parameters.
    driver: Any = op.get_bind().connection.driver_connection
    driver.execute(SchemaManager.get_schema())
    # A look for work that finds none would read every job that waits for its conversation: 195 ms at 20,000 of them.
    op.execute(
        "CREATE INDEX turn_jobs_lock ON procrastinate_jobs (lock, priority DESC, id) WHERE status IN ('todo', 'doing')"
    )
