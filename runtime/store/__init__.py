"""The bot store: who answers on which number, what was last applied, and every message taken in or sent.

`records` and `snapshot` are light, since planning starts with them; `tables`, `database` and `writer` bring SQLAlchemy.
"""
