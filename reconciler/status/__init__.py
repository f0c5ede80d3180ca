"""The status of each client, from live facts: a table of all, the onboarding checklist of one. Read-only."""
