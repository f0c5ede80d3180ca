"""A mail server for tests: takes every message, and keeps it."""

from __future__ import annotations

import email
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage


@dataclass(slots=True)
class MailServer:
    """What arrived, in order: each recipient, and the message."""

    address: str
    """`127.0.0.1:PORT`."""
    arrived: list[tuple[str, EmailMessage]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address in Apprise's words, for the agency's own mailbox."""
        return f"mailto://{self.address}/?from=bot@agencia.cl&to=agencia@agencia.cl"

    def texts_to(self, recipient: str) -> list[tuple[str, str]]:
        """Subject and text of what a recipient got."""
        texts = []
        for to, message in self.arrived:
            if to == recipient:
                body = message.get_body(("plain",))
                assert body is not None, "a mail without text"
                texts.append((str(message["Subject"]), body.get_content()))
        return texts


@contextmanager
def serving_mail() -> Iterator[MailServer]:
    """A mail server on a free port (RFC 5321, as far as Python's smtplib needs it)."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            recipients: list[str] = []
            while line := self.rfile.readline():
                verb = line.split(b" ")[0].strip().upper()
                if verb == b"RCPT":
                    recipients.append(line.decode().partition("<")[2].partition(">")[0])
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    self._keep(recipients)
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    return

        def _keep(self, recipients: list[str]) -> None:
            lines: list[bytes] = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b"."))
            message = email.message_from_bytes(b"".join(lines), policy=policy.default)
            server.arrived += [(recipient, message) for recipient in recipients]

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as tcp:
        server = MailServer(f"127.0.0.1:{tcp.server_address[1]}")
        thread = threading.Thread(target=tcp.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            tcp.shutdown()
            thread.join()
