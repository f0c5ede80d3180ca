"""From a webhook to a stored message: signed, bounded, admitted, stored once."""
