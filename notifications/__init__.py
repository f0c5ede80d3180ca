"""Notifications to people who run the installation, by Apprise: e-mail, Slack, Telegram and its other services. Both
the reconciler and the runtime send them; this room decides nothing about what is sent, or when."""
