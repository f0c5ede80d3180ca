"""The console: pages for the agency's operators, at /console, served once one was invited. What they change is people's
work, never what a manifest declares.

    request ──► site: session, role, origin, token of the form ──► page ──► store, people ──► template

A page reads by the functions that the API and the commands use. It runs without JavaScript; htmx spares a reload.
"""
