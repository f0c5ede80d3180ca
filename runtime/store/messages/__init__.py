"""The way of a message in the store: inbox, turns, outbox, and what is derived from them. Functions over a connection."""
