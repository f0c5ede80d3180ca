"""Containment of failures: circuit breakers, isolation of poison turns, backoff."""
