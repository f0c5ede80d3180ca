"""Reading manifests: what is accepted, what is refused and with which words, and the commands that need no network."""
