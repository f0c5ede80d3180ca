"""Chatwoot's stand-in, built from its source at release 4.15.1: what a bridge to an inbox of the type API uses."""
