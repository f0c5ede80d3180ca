"""How the store's functions reach SQLite and PostgreSQL, and how its schema is brought up to date."""
