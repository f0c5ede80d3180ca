"""Alembic's entry: runs the steps on the connection and in the transaction of `runtime.store.database.migrate`."""

from __future__ import annotations

from alembic import context

from runtime.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False
)
context.run_migrations()
