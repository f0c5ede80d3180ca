"""Tests of the sandbox itself: it behaves as the providers do, and its ledger tells the truth."""
