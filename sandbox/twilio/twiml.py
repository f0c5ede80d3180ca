"""The part of TwiML that answers a message. Nothing here does I/O."""

from xml.etree import ElementTree


class TwimlError(ValueError):
    """Not a TwiML document. The text gives the reason, with Twilio's code."""


def messages_in(document: str, sender: str, user: str) -> list[dict[str, list[str]]]:
    """The <Message> verbs of a document as the forms that Messages.json takes."""
    try:
        root = ElementTree.fromstring(document)  # noqa: S314 - from the webhook under test; expat refuses entity bombs
    except ElementTree.ParseError as error:
        raise TwimlError(f"12100: the webhook's TwiML cannot be parsed: {error}") from None
    if root.tag != "Response":
        raise TwimlError(f"12100: a TwiML document is a <Response>, the webhook sent a <{root.tag}>")
    return [_form(verb, sender, user) for verb in root.iter("Message")]


def _form(verb: ElementTree.Element, sender: str, user: str) -> dict[str, list[str]]:
    body = verb.find("Body")
    text = (verb.text or "").strip() if body is None else "".join(body.itertext())
    return {
        "From": [verb.get("from") or sender],
        "To": [verb.get("to") or user],
        "Body": [text],
        "MediaUrl": [item.text.strip() for item in verb.findall("Media") if item.text],
        "StatusCallback": [verb.get("statusCallback") or verb.get("action") or ""],
    }
