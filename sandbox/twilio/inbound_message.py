"""One message from a WhatsApp user, and the form that Twilio's webhook sends for it. Nothing here does I/O."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import InputError
from sandbox.storage import Json
from sandbox.twilio.addresses import USER, number_of, whatsapp_address

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
}


@dataclass(frozen=True, slots=True)
class UserMessage:
    """What the user wrote, to whom, and how long the caller waits for an answer."""

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

    @classmethod
    def read(cls, document: Json) -> "UserMessage":
        """From the body of POST /_sandbox/inbound. Raises InputError with a sentence."""
        for key, value in document.items():
            if key not in _KINDS:
                raise InputError(f"unknown key {key!r}; allowed are: {', '.join(_KINDS)}")
            if isinstance(value, bool) or not isinstance(value, _KINDS[key]):
                raise InputError(f"{key!r} cannot be {value!r}")
        origin = document.get("from", "+56912345678")
        origin = whatsapp_address(origin)
        if not USER.match(origin):
            raise InputError(f"'from' is a number like +56912345678 or a user id like CL.1A2B3C, not {origin!r}")
        rest = {key: value for key, value in document.items() if key not in ("to", "from")}
        return cls(document.get("to", ""), origin, **rest)

    def fields(self, sender: Json, sid: str, media: list[Json]) -> dict[str, str]:
        """The webhook's form. `media` are those kept, with their URLs."""
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
            "MessageType": media[0]["content_type"].partition("/")[0] if media else "text",
            "Forwarded": "false",
            "FrequentlyForwarded": "false",
            "ChannelMetadata": '{"type":"whatsapp","data":{"context":{}}}',
        }
        user = number_of(self.origin)
        user_id = number_of(self.external_user_id) or ("" if user.startswith("+") else user)
        form |= {"WaId": user[1:]} if user.startswith("+") else {}
        form |= {"ExternalUserId": whatsapp_address(user_id)} if user_id else {}
        for index, item in enumerate(media):
            form |= {f"MediaUrl{index}": item["url"], f"MediaContentType{index}": item["content_type"]}
        return form | {key: str(value) for key, value in self.extra.items()}
