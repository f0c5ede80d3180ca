"""Erasing a person: from the store, from Twilio's copies, from sessions at the provider."""
