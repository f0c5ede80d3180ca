"""Stand-ins for OpenAI and Twilio that speak their wire formats over real sockets, and a simulated phone.

Everything here is reached from outside: other rooms talk HTTP to a sandbox process, with the providers' own SDKs. It
never imports the product it helps to test, so it can't share its mistakes, and it never leaves the loopback interface
unless a webhook URL points there.
"""
