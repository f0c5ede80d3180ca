"""What the runtime reports of itself: logs, metrics, traces, and prices of what it used."""
