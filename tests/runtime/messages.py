"""Messages as Twilio's webhook describes them, with what each consists of and what it reads like as text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from runtime.content.parts import (
    Audio,
    ButtonReply,
    Contact,
    Document,
    Flow,
    Image,
    ListReply,
    Location,
    Part,
    Reaction,
    Sticker,
    Text,
    Unsupported,
    Video,
    Voice,
)

URL = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"


@dataclass(frozen=True, slots=True)
class Example:
    """One message."""

    name: str
    """ASCII: mutmut names a test by it."""
    parameters: dict[str, str]
    parts: tuple[Part, ...]
    text: str
    body: str = field(default="")
    """What the column `body` held of it before there was `content`, where that was something else."""


def media(content_type: str, *, url: str = URL, number: int = 0, **more: str) -> dict[str, str]:
    return {"NumMedia": "1", f"MediaUrl{number}": url, f"MediaContentType{number}": content_type, **more}


QUOTING = {"OriginalRepliedMessageSid": "SM9"}
LIST_METADATA = (
    '{"type":"whatsapp","data":{"context":{},"interactive":{"type":"list_reply",'
    '"list_reply":{"id":"mesa_4","title":"Mesa para 4","description":"Terraza"}}}}'
)
BUTTON_METADATA = '{"data":[{"interactive":{"button_reply":{"id":"si_42","title":"Sí"}}}]}'
FORM = '{"nombre":"Ana","fecha":"2026-12-01"}'
WRAPPED = json.dumps({"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": FORM}})
NESTED = '{"list_reply":' * 100_000

EXAMPLES = [
    Example("text", {"Body": "Hola"}, (Text("Hola"),), "Hola"),
    Example("text in lines", {"Body": " Hola\n\n¿Hay mesa? \n"}, (Text("Hola\n\n¿Hay mesa?"),), "Hola\n\n¿Hay mesa?"),
    Example(
        "parameters that do not exist yet",
        {"Body": "Hola", "MessageType": "text", "MessageMood": "sad", "MediaMood0": "x", "ListMood": "x"},
        (Text("Hola"),),
        "Hola",
    ),
    Example("characters that nothing can carry", {"Body": "\x00Ho\x00la\ud83d"}, (Text("Hola"),), "Hola"),
    Example("nothing at all", {"Body": ""}, (Unsupported("empty"),), "[empty]"),
    Example("only such characters", {"Body": "\x00 \x01"}, (Unsupported("empty"),), "[empty]"),
    Example("a type that does not exist yet", {"Body": "", "MessageType": "order"}, (Unsupported("order"),), "[order]"),
    Example("unsupported", {"Body": "", "MessageType": "unsupported"}, (Unsupported("unsupported"),), "[unsupported]"),
    Example("voice note", media("audio/ogg", MessageType="audio"), (Voice(URL, "audio/ogg"),), "[audio/ogg]"),
    Example(
        "voice note with its codec",
        media("Audio/OGG; codecs=opus"),
        (Voice(URL, "Audio/OGG; codecs=opus"),),
        "[Audio/OGG; codecs=opus]",
    ),
    Example("audio", media("audio/mpeg"), (Audio(URL, "audio/mpeg"),), "[audio/mpeg]"),
    Example("picture", media("image/jpeg"), (Image(URL, "image/jpeg"),), "[image/jpeg]"),
    Example(
        "picture with a caption",
        media("image/png", Body="Mi receta"),
        (Text("Mi receta"), Image(URL, "image/png")),
        "Mi receta\n[image/png]",
    ),
    Example("sticker", media("image/webp", MessageType="sticker"), (Sticker(URL, "image/webp"),), "[image/webp]"),
    Example("sticker of no type", media("image/webp"), (Sticker(URL, "image/webp"),), "[image/webp]"),
    Example("picture as WebP", media("image/webp", MessageType="image"), (Image(URL, "image/webp"),), "[image/webp]"),
    Example("video", media("video/mp4"), (Video(URL, "video/mp4"),), "[video/mp4]"),
    Example("document", media("application/pdf"), (Document(URL, "application/pdf"),), "[application/pdf]"),
    Example("text file", media("text/plain"), (Document(URL, "text/plain"),), "[text/plain]"),
    Example(
        "file of a type that does not exist yet", media("hologram/x"), (Document(URL, "hologram/x"),), "[hologram/x]"
    ),
    Example("contact", media("text/vcard", MessageType="contacts"), (Contact(URL, "text/vcard"),), "[text/vcard]"),
    Example("contact, old type", media("text/x-vcard"), (Contact(URL, "text/x-vcard"),), "[text/x-vcard]"),
    Example(
        "two media",
        media("image/jpeg") | media("application/pdf", url="u", number=1, NumMedia="2"),
        (Image(URL, "image/jpeg"), Document("u", "application/pdf")),
        "[image/jpeg]\n[application/pdf]",
    ),
    *(
        Example(
            f"NumMedia that says nothing {index}",
            media("image/jpeg", NumMedia=number),
            (Image(URL, "image/jpeg"),),
            "[image/jpeg]",
            "[empty]",
        )
        for index, number in enumerate(("", "0", "-1", "x", "1.5", "²", "9" * 5_000))
    ),
    Example("media that are counted only", {"Body": "Hola", "NumMedia": "3"}, (Text("Hola"),), "Hola"),
    Example(
        "a NUL in a type",
        media("image/jp\x00eg", url="https://a\x00b"),
        (Image("https://ab", "image/jpeg"),),
        "[image/jpeg]",
        "[image/jp\x00eg]",
    ),
    Example(
        "media without a type",
        {"MediaUrl0": URL, "NumMedia": "1"},
        (Document(URL, "application/octet-stream"),),
        "[application/octet-stream]",
        "[empty]",
    ),
    Example(
        "location",
        {"Body": "", "Latitude": "-33.4372", "Longitude": "-70.65060"},
        (Location("-33.4372", "-70.65060"),),
        "[location -33.4372,-70.65060]",
    ),
    Example(
        "location with its name",
        {"Body": "", "Latitude": "0", "Longitude": "180", "Label": "La\x00 Cocina", "Address": "Av. Italia 1"},
        (Location("0", "180", "La Cocina", "Av. Italia 1"),),
        "[location 0,180: La Cocina, Av. Italia 1]",
        "[location 0,180: La Cocina, Av. Italia 1]",
    ),
    Example(
        "location with a text",
        {"Body": "Aquí estoy", "Latitude": "1", "Longitude": "2", "Address": "Av. Italia 1"},
        (Text("Aquí estoy"), Location("1", "2", "", "Av. Italia 1")),
        "Aquí estoy\n[location 1,2: Av. Italia 1]",
    ),
    *(
        Example(
            f"coordinates that are none {index}",
            {"Body": "", "MessageType": "location", "Latitude": latitude, "Longitude": longitude},
            (Unsupported("location"),),
            "[location]",
            "[location]",
        )
        for index, (latitude, longitude) in enumerate(
            [
                ("", ""),
                ("91", "0"),
                ("0", "-180.5"),
                ("nan", "0"),
                ("0", "inf"),
                ("x", "0"),
                ("1,5", "0"),
                ("٣", "0"),
                ("9" * 5_000, "0"),
            ]
        )
    ),
    Example("half a location", {"Body": "", "Latitude": "1"}, (Unsupported("location"),), "[location]", "[empty]"),
    Example("its other half", {"Body": "", "Longitude": "1"}, (Unsupported("location"),), "[location]", "[empty]"),
    Example(
        "button",
        {"Body": "Sí", "ButtonText": "Sí", "ButtonPayload": "si_42", "MessageType": "interactive", **QUOTING},
        (ButtonReply("Sí", "si_42"),),
        "Sí",
    ),
    Example(
        "button whose text is not in Body",
        {"Body": "", "ButtonText": "Sí", "ButtonPayload": "si_42", "ButtonType": "REPLY", "MessageType": "button"},
        (ButtonReply("Sí", "si_42"),),
        "Sí",
        "[button]",
    ),
    Example("button without a payload", {"Body": "Sí", "ButtonText": "Sí"}, (ButtonReply("Sí"),), "Sí"),
    Example("button without a text", {"Body": "Sí", "ButtonPayload": "si_42"}, (ButtonReply("Sí", "si_42"),), "Sí"),
    Example(
        "button that is its payload", {"ButtonPayload": "si_42"}, (ButtonReply("si_42", "si_42"),), "si_42", "[empty]"
    ),
    Example("button in Body only", {"Body": "Sí", "MessageType": "button"}, (ButtonReply("Sí"),), "Sí"),
    Example(
        "button in ChannelMetadata",
        {"Body": "Sí", "ButtonText": "Sí", "ChannelMetadata": BUTTON_METADATA},
        (ButtonReply("Sí", "si_42"),),
        "Sí",
    ),
    Example(
        "button whose text is an emoji",
        {"Body": "👍", "ButtonText": "👍", "ButtonPayload": "si_42", **QUOTING},
        (ButtonReply("👍", "si_42"),),
        "👍",
    ),
    Example(
        "a call that was not allowed",
        {"Body": "VOICE_CALL_REQUEST", "ButtonText": "VOICE_CALL_REQUEST", "ButtonPayload": "REJECTED"},
        (Unsupported("call_permission"),),
        "[call_permission]",
        "VOICE_CALL_REQUEST",
    ),
    Example(
        "list",
        {"Body": "Mesa para 4", "ListId": "mesa_4", "ListTitle": "Mesa para 4", "ListDescription": "Terraza"},
        (ListReply("Mesa para 4", "mesa_4", "Terraza"),),
        "Mesa para 4",
    ),
    Example(
        "list whose title is not in Body",
        {"Body": "", "ListId": "mesa_4", "ListTitle": "Mesa para 4", "MessageType": "interactive"},
        (ListReply("Mesa para 4", "mesa_4"),),
        "Mesa para 4",
        "[interactive]",
    ),
    Example(
        "list that is its id", {"Body": "", "ListId": "mesa_4"}, (ListReply("mesa_4", "mesa_4"),), "mesa_4", "[empty]"
    ),
    Example(
        "list in ChannelMetadata",
        {"Body": "Mesa para 4", "MessageType": "interactive", "ChannelMetadata": LIST_METADATA},
        (ListReply("Mesa para 4", "mesa_4", "Terraza"),),
        "Mesa para 4",
    ),
    Example(
        "list in ChannelMetadata before something else",
        {"Body": "", "ChannelMetadata": '{"a":{"list_reply":{"id":"mesa_4","title":"Mesa para 4"}},"list":["b"]}'},
        (ListReply("Mesa para 4", "mesa_4"),),
        "Mesa para 4",
        "[empty]",
    ),
    Example(
        "list in InteractiveData",
        {"Body": "", "MessageType": "interactive", "InteractiveData": LIST_METADATA},
        (ListReply("Mesa para 4", "mesa_4", "Terraza"),),
        "Mesa para 4",
        "[interactive]",
    ),
    Example(
        "list in Body only",
        {"Body": "Mesa para 4", "MessageType": "interactive", **QUOTING},
        (ListReply("Mesa para 4"),),
        "Mesa para 4",
    ),
    *(
        Example(f"ChannelMetadata {name}", {"Body": "Hola", "ChannelMetadata": text}, (Text("Hola"),), "Hola")
        for name, text in [
            ("no JSON", '{"list_reply":'),
            ("too deep", NESTED),
            ("of other types", '{"list_reply":["id"],"button_reply":{"id":1,"title":null}}'),
            ("with a number of 5,000 digits", '{"list_reply":' + "9" * 5_000 + "}"),
            ("that quotes one in a text", '{"a":"\\"list_reply\\":{\\"id\\":\\"x\\",\\"title\\":\\"y\\"}"}'),
        ]
    ),
    Example(
        "an id that is no text",
        {"Body": "", "ChannelMetadata": '{"list_reply":{"id":7,"title":"Mesa\\u0000"}}'},
        (ListReply("Mesa"),),
        "Mesa",
        "[empty]",
    ),
    Example(
        "form",
        {"Body": "", "MessageType": "interactive", "InteractiveData": FORM},
        (Flow(FORM),),
        f"[flow {FORM}]",
        "[interactive]",
    ),
    Example(
        "form as FlowData, with a text",
        {"Body": "Enviado", "FlowData": FORM, "InteractiveData": "{}"},
        (Text("Enviado"), Flow(FORM)),
        f"Enviado\n[flow {FORM}]",
        "Enviado",
    ),
    Example(
        "form whose button has a label",
        {"Body": "", "ButtonText": "Enviar", "FlowData": FORM, "MessageType": "interactive"},
        (Flow(FORM),),
        f"[flow {FORM}]",
        "[interactive]",
    ),
    *(
        Example(
            f"form that Meta wraps {index}",
            {"Body": "", "MessageType": "interactive", name: wrapped},
            (Flow(FORM),),
            f"[flow {FORM}]",
            "[interactive]",
        )
        for index, (name, wrapped) in enumerate([("InteractiveData", WRAPPED), ("FlowData", f"[{WRAPPED}]")])
    ),
    Example(
        "wrapped form without answers",
        {"Body": "", "MessageType": "interactive", "InteractiveData": '{"nfm_reply":{"response_json":7}}'},
        (Flow('{"nfm_reply":{"response_json":7}}'),),
        '[flow {"nfm_reply":{"response_json":7}}]',
        "[interactive]",
    ),
    Example("form that is no JSON", {"FlowData": "a=1"}, (Flow("a=1"),), "[flow a=1]", "[empty]"),
    Example(
        "form that is too long", {"FlowData": "x" * 9_000}, (Flow("x" * 8_000),), f"[flow {'x' * 8_000}]", "[empty]"
    ),
    Example("reaction", {"Body": "❤️", "MessageType": "reaction", **QUOTING}, (Reaction("❤️"),), "❤️"),
    *(
        Example(f"reaction of no type {index}", {"Body": emoji, **QUOTING}, (Reaction(emoji),), emoji)
        for index, emoji in enumerate(("👍", "👍🏽", "👩‍👩‍👧", "🇨🇱", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "☺️"))
    ),
    Example("reaction taken back", {"Body": "", "MessageType": "reaction"}, (Reaction(""),), "[reaction]"),
    Example("an emoji that answers nothing", {"Body": "👍"}, (Text("👍"),), "👍"),
    Example("an emoji that answers", {"Body": "👍", "MessageType": "text", **QUOTING}, (Text("👍"),), "👍"),
    *(
        Example(f"an answer that is no emoji {index}", {"Body": text, **QUOTING}, (Text(text),), text)
        for index, text in enumerate(("👍👍", "sí", "7", "👍 ok"))
    ),
    Example(
        "a picture with an emoji that answers",
        media("image/jpeg", Body="👍", **QUOTING),
        (Text("👍"), Image(URL, "image/jpeg")),
        "👍\n[image/jpeg]",
    ),
]
