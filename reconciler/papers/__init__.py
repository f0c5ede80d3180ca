"""Papers about people's data, from a client's manifest: drafts for a lawyer, in Spanish, the same for one manifest.
Pure."""
