"""Reads every source concurrently into one live state. Writes nothing."""
