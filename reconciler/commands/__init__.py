"""One module per command: reads its options, calls the rooms' functions, prints, returns the exit code."""
