"""The kind `bot`: the row in the bot store that routes a number to an assistant."""
