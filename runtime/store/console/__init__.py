"""Operators of the console, their sessions, their failed sign-ins, and what its pages read."""
