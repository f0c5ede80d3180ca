"""How the store's functions run on SQLite and PostgreSQL, and how its schema is brought up to date."""
