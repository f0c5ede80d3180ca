"""The product's tests. They talk to the sandbox over real sockets and never reach inside the rooms they test."""
