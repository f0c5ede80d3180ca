"""When and where a conversation's turn runs: in this process on SQLite, on any replica on PostgreSQL."""
