"""What the runtime reports about itself: logs, metrics, traces, and the price of its usage."""
