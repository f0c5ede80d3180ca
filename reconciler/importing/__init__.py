"""Manifests from what is live: bots that somebody made by hand, whoever answers for them, and their senders.

    inventory ──► draft, one for each bot ──► files in clients.d
    everything    what a manifest can say,    written once, never over
    that is live  and what it cannot          another file, and valid

It reads at the providers and writes files, nothing else. What a manifest cannot say is listed with the reason; the plan
after an import is empty wherever nothing was listed.
"""
