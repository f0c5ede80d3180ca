"""Stand-ins for OpenAI, Twilio and Chatwoot that speak their wire formats over real sockets, and a simulated phone.

It is reached over sockets only and imports nothing of the product (docs/adr/0010-sandbox-as-processes.md). It never
leaves the loopback interface unless a webhook URL points elsewhere.
"""
