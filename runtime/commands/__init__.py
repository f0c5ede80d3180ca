"""What the subcommands of `horizonai-whatsapp-bot` do, and what they share. Each imports only what it needs."""
