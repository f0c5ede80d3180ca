"""Why does a client not answer? The chain from a user's phone to the answer, link by link.

Everything is read, or requested in a way that stores nothing; nothing is written.
"""
