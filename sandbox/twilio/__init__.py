"""The stand-in for Twilio: senders, messages, webhooks, and the WhatsApp users behind them."""
