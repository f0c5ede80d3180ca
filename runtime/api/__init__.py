"""The management API: bots, assistants, proactive messages, and the reconciler's way to the store. JSON in and out."""
