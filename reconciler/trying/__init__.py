"""Trying assistants before customers meet them: chat, tests, comparison. The code that answers is the runtime's own
(`runtime.turns.trial`), imported when something is tried. Nothing here writes to a live object or sends a message."""
