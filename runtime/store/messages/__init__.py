"""Messages in the store: inbox, turns, outbox and derived data. Functions over a connection."""
