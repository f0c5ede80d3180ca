"""Plans as documents, drift as an alarm, and the history."""
