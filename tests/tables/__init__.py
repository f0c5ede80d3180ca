"""Tables for pure functions: a row for each situation. Fast, without a process or a socket, so that mutants of the
modules can be tried by the hundred (`tests.mutants`)."""
