"""Plans and outcomes as text, JSON and Markdown: pure functions from values to strings."""
