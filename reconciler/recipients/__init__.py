"""Who gets data of the people who write, as manifests declare it, and whether the client has given leave. Pure."""
