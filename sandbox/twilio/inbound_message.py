"""One message from a WhatsApp user, and the form that Twilio's webhook sends for it. Nothing here does I/O."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import InputError
from sandbox.storage import Json
from sandbox.twilio.addresses import USER, number_of, whatsapp_address
from sandbox.twilio.message_parts import NAMES, TAPPED, ListReplies, MessagePart, part_of, type_of_media

_KINDS: dict[str, tuple[type, ...]] = {
    "to": (str,),
    "from": (str,),
    "body": (str,),
    "media": (list,),
    "profile_name": (str,),
    "external_user_id": (str,),
    "message_sid": (str,),
    "wait": (int, float),
    "settle": (int, float),
    "extra": (dict,),
    "reply_to": (str,),
    "message_type": (str,),
    **dict.fromkeys(NAMES, (dict, str)),
    **dict.fromkeys(TAPPED, (dict, str, int)),
}
USUAL_NUMBER = "+56912345678"
_METADATA = '{"type":"whatsapp","data":{"context":{}}}'


@dataclass(frozen=True, slots=True)
class UserMessage:
    """What the user sent, to whom, and how long the caller waits for an answer."""

    to: str
    origin: str
    body: str = ""
    media: list[Any] = field(default_factory=list)
    profile_name: str = "Cliente de prueba"
    external_user_id: str = ""
    message_sid: str = ""
    wait: float = 0.0
    settle: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)
    """Parameters of the webhook as they are; they replace those made here."""
    reply_to: str = ""
    """Sid of the message that is quoted, or reacted to."""
    message_type: str | None = None
    """What `MessageType` says; empty for a webhook without it, as some are."""
    part: MessagePart | None = None

    @classmethod
    def read(cls, document: Json, list_replies: ListReplies) -> "UserMessage":
        """From the body of POST /_sandbox/inbound. Raises InputError with a sentence."""
        for key, value in document.items():
            if key not in _KINDS:
                raise InputError(f"unknown key {key!r}; allowed are: {', '.join(_KINDS)}")
            if isinstance(value, bool) or not isinstance(value, _KINDS[key]):
                raise InputError(f"{key!r} cannot be {value!r}")
        origin = whatsapp_address(document.get("from", USUAL_NUMBER))
        if not USER.match(origin):
            raise InputError(f"'from' is a number like +56912345678 or a user id like CL.1A2B3C, not {origin!r}")
        parts = [part_of(name, document[name], list_replies) for name in NAMES if name in document]
        if len(parts) + len(document.get("media", ())) > 1:
            raise InputError(f"a message is one file, or one of {', '.join(NAMES)}; send the others after it")
        if "reaction" in document and not document.get("reply_to"):
            raise InputError("a reaction needs 'reply_to': the sid of the message that it is for, or last")
        rest = {key: value for key, value in document.items() if key not in ("to", "from", *NAMES)}
        if parts:
            rest = {**rest, "part": parts[0], "body": document.get("body") or parts[0].body}
        return cls(document.get("to", ""), origin, **rest)

    @property
    def from_ad(self) -> bool:
        """Whether it is the first message after a click on an ad, which has parameters `Referral…` about it."""
        return any(
            value for name, value in self.extra.items() if name.startswith("Referral") and name != "ReferralNumMedia"
        )

    def fields(self, sender: Json, sid: str, media: list[Json], quoted: Json | None) -> dict[str, str]:
        """The webhook's form. `media` are those kept, with their URLs; `quoted` is the message that this one replies
        to.
        """
        form = {
            "SmsMessageSid": sid,
            "SmsSid": sid,
            "MessageSid": sid,
            "AccountSid": sender["_account"],
            "From": self.origin,
            "To": sender["sender_id"],
            "Body": self.body,
            "NumMedia": str(len(media)),
            "NumSegments": "1",
            "ReferralNumMedia": "0",
            "SmsStatus": "received",
            "ApiVersion": "2010-04-01",
            "ProfileName": self.profile_name,
            "MessageType": self._type(media),
            "Forwarded": "false",
            "FrequentlyForwarded": "false",
            "ChannelMetadata": _METADATA,
            **(self.part.parameters if self.part else {}),
        }
        if not form["MessageType"]:
            del form["MessageType"]
        if quoted is not None:
            form |= {"OriginalRepliedMessageSid": quoted["sid"], "OriginalRepliedMessageSender": quoted["from"]}
        user = number_of(self.origin)
        user_id = number_of(self.external_user_id) or ("" if user.startswith("+") else user)
        form |= {"WaId": user[1:]} if user.startswith("+") else {}
        form |= {"ExternalUserId": whatsapp_address(user_id)} if user_id else {}
        for index, item in enumerate(media):
            form |= {f"MediaUrl{index}": item["url"], f"MediaContentType{index}": item["content_type"]}
        return form | {key: str(value) for key, value in self.extra.items()}

    def _type(self, media: list[Json]) -> str:
        if self.message_type is not None:
            return self.message_type
        if self.part is not None:
            return self.part.message_type
        return type_of_media(media[0]["content_type"]) if media else "text"
