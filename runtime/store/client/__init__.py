"""The reconciler's access to the store: light reads, writes by SQL or over the runtime's API."""
