"""Drift as an alarm: who changed what live, told once while it lasts, and counted for Prometheus. Repairs nothing."""
