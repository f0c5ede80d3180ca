"""The desk: conversations that people have, mirrored to Chatwoot, and what they write there, sent from here."""
