"""The service: WhatsApp messages in, answers out, and the bot store behind both. It never imports the reconciler."""
