"""The reconciler's ways to the store: read lightly, write by SQL or over the runtime's API."""
