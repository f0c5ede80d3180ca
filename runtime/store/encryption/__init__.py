"""What people and assistants wrote, encrypted in the store (docs/adr/0015-encryption-in-statements.md)."""
