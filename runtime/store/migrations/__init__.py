"""Alembic migrations of the bot store, applied by `runtime.store.database.migrate`."""
