"""The stand-in for OpenAI's API, as far as WhatsApp assistants use it."""
