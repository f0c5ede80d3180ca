"""The management API: bots, assistants, proactive messages, and the reconciler's access to the store. JSON in and
out."""
