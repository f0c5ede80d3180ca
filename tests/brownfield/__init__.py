"""An agency that set up its bots by hand, and takes them into git: import, adopt, status, doctor, verify."""
