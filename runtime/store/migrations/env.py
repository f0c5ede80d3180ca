"""Alembic's entry: runs the steps on the connection that `runtime.store.database.migrate` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from runtime.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False
)
context.run_migrations()
