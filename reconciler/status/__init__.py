"""How each client stands, from live facts: a table for everybody, the onboarding checklist for one. Read-only."""
