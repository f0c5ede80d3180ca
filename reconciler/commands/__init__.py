"""One module per command: reads its options, calls the other packages, prints, returns the exit code."""
