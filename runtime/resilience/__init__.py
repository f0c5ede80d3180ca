"""What keeps one failure from becoming many: circuit breakers, isolation of poison turns, backoff."""
