"""Why does a client not answer? The chain from a user's phone to the answer, link by link.

Everything is read, or asked in a way that leaves nothing behind; nothing is written.
"""
