"""The command `reconcile` against the sandbox: real processes, real sockets, real SDKs."""
