"""The kind `assistant`: who answers."""
