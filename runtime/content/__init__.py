"""What a user's message is made of: its parts, how they are read from Twilio's parameters, and how they read as text.

Nothing here does I/O, and nothing here knows the store, a turn or an engine.
"""
