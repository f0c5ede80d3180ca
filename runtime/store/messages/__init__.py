"""The way of a message in the store: inbox, turns, outbox and what follows from them. Functions over a connection."""
