"""Applies a plan: one run at a time, recorded step by step."""
