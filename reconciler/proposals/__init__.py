"""The proposal for a client: what is included, what it costs at three volumes, who is responsible for what. Pure."""
