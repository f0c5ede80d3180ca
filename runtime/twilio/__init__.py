"""Twilio as the runtime uses it: accounts, the client over the SDK, its transport and rate limit, TwiML."""
