"""What both drivers of the inbox must hold to."""
