"""Files that users send: fetched from Twilio, kept for the life of a turn, and looked at as far as that is safe.

What a file is made into for an engine is decided in `runtime.turns`.
"""
