"""The terminal that a command runs on: its standard streams, and questions to the person in front of it."""
