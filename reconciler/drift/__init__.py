"""Drift as an alarm: who changed what live, notified once while it lasts, and counted for Prometheus. Repairs
nothing."""
