"""The kind `sender`: what Twilio holds for the number."""
