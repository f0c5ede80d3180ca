"""What an operator wrote at the desk, on its way to the person: words in WhatsApp's format, a message for each file."""

from __future__ import annotations

import time
from typing import Final

from runtime.catalog import Configuration
from runtime.delivery.formatting import whatsapp_text
from runtime.delivery.splitting import split_reply
from runtime.desk.chatwoot import DeskCalls
from runtime.desk.operator_messages import LATE, LATEST_SECONDS, OperatorMessage
from runtime.desk.outgoing_files import CannotGoOut, OutgoingFiles
from runtime.memory import remembered
from runtime.store.database.database import Database
from runtime.store.messages import desk
from runtime.store.messages.desk import DeskConversation, FromDesk
from runtime.store.messages.outbound_content import OutboundContent, OutboundMedia, OutboundText, made_portable
from runtime.store.messages.outbox import OutboundMessage
from schemas.addresses import whatsapp_address

NO_ADDRESS: Final = "No se envió: esta persona ya no está en nuestro sistema"


class Incoming:
    """Takes in what operators of one client write."""

    def __init__(self, database: Database, configuration: Configuration, calls: DeskCalls) -> None:
        self._database = database
        self._configuration = configuration
        self._files = OutgoingFiles(database, calls)

    async def take_in(
        self, shown: DeskConversation, message: OperatorMessage, resume_seconds: float | None
    ) -> list[int]:
        """Puts a message into the outbox, once; returns the ids of its rows there. Raises TemporaryError while a file
        of it may yet appear."""
        refused, contents = None, list[OutboundContent]()
        try:
            contents = await self._contents(shown, message)
        except CannotGoOut as error:
            refused = str(error)
        parts = [(self._outbound(shown, content, message.author), _item(content)) for content in contents]
        taken = FromDesk(message.id, message.author, parts, refused)
        return await self._database.write(desk.take_in, shown, taken, resume_seconds)

    async def _contents(self, shown: DeskConversation, message: OperatorMessage) -> list[OutboundContent]:
        """All of a message or nothing: a text that is about a file does not go out without it. WhatsApp shows a text
        below a picture, and none with a document."""
        if shown.address is None or shown.account_sid is None:
            raise CannotGoOut(NO_ADDRESS)
        if time.time() - message.written_at > LATEST_SECONDS:
            raise CannotGoOut(LATE)
        text = whatsapp_text(message.content).strip()
        texts = list(split_reply(text)) if text else []
        kept = [await self._files.keep(shown.id, one, message.written_at) for one in message.attachments]
        caption = texts.pop() if kept and kept[0][1] and len(texts) == 1 else ""
        media = [OutboundMedia(path, caption if number == 0 else "") for number, (path, _) in enumerate(kept)]
        said: list[OutboundContent] = [OutboundText(part) for part in texts]
        return [made_portable(content) for content in (*said, *media)]

    def _outbound(self, shown: DeskConversation, content: OutboundContent, author: str) -> OutboundMessage:
        return OutboundMessage(
            account_sid=str(shown.account_sid),
            sender=whatsapp_address(self._configuration.bot.twilio_phone_number),
            recipient=str(shown.address),
            content=content,
            channel="rest",
            claimed=False,
            bot_id=shown.bot_id,
            conversation_id=shown.id,
            author=author,
        )


def _item(content: OutboundContent) -> tuple[str, int]:
    """An item of the memory: the assistant knows afterwards what a person said in its place."""
    return remembered({"role": "assistant", "content": content.readable})
