"""From the outbox to the phone: once, in order, over the claimed channel."""
