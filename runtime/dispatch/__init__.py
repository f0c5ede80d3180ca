"""When the turn of a conversation runs, and where: in this process on SQLite, on any replica on PostgreSQL."""
