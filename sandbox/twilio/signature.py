"""Twilio's request signature (X-Twilio-Signature). Nothing here does I/O."""

import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping


def called_url(url: str) -> str:
    """The URL as Twilio requests and signs it: without its fragment, an apostrophe in it escaped."""
    return url.partition("#")[0].replace("'", "%27")


def signature(auth_token: str, url: str, fields: Mapping[str, str | Iterable[str]]) -> str:
    """base64(HMAC-SHA1(token, url + each field's name and value in order of name)); a repeated field counts each
    distinct value once, sorted.
    """
    text = called_url(url)
    for name in sorted(fields):
        value = fields[name]
        values = [value] if isinstance(value, str) else sorted(set(value))
        text += "".join(name + item for item in values)
    return b64encode(hmac.digest(auth_token.encode(), text.encode(), "sha1")).decode()
