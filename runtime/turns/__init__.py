"""One turn: the messages that wait in a conversation, answered, recorded and handed to delivery."""
