"""Manifests from live objects: bots that were created by hand, their assistants, and their senders.

    inventory ──► draft, one for each bot ──► files in clients.d
    everything    what a manifest can         written once, never over
    that is live  declare, and what not       another file, and valid

It reads at the providers and writes files, nothing else. What a manifest cannot declare is listed with the reason; the
plan after an import is empty where nothing was listed.
"""
