"""The bot store: bots and assistants by number, the last applied values, and every message received or sent.

`records` and `snapshot` are light, since planning starts with them; `tables`, `database` and `writer` import
SQLAlchemy.
"""
