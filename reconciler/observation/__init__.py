"""Reads every source at once into one live state. Writes nothing."""
