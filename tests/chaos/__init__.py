"""Proves that nothing acknowledged is lost, doubled or confused while everything around the runtime fails.

    scenario (from a seed) ─► storm ─► sandbox, runtimes ─► the sandbox's ledger ─► verdict ─► report

`make chaos` plays the long form on both stores, `test_short.py` a short one. The verdict knows the sandbox's ledger and
nothing else; it never asks the runtime.
"""
