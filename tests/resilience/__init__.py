"""What the runtime does when something around it fails, stops or is too much."""
