"""Reads multipart/form-data from a body that is already in memory. Nothing here does I/O."""

from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

from sandbox.openai.wire import error


@dataclass(frozen=True, slots=True)
class Part:
    """One field of the form."""

    name: str
    filename: str | None
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


def parts_of(body: bytes, content_type: str) -> dict[str, Part]:
    """The fields by name. Raises OpenAI's 400 for a body that is not a multipart form."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise error(400, "The request must be of type multipart/form-data with a boundary.")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    parts = [_part(piece) for piece in pieces[1:] if not piece.startswith(b"--")]
    return {part.name: part for part in parts}


def _part(piece: bytes) -> Part:
    head, _, content = piece.lstrip(b"\r\n").partition(b"\r\n\r\n")
    headers = BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
    name = headers.get_param("name", "", "Content-Disposition")
    return Part(str(name), headers.get_filename(), content)
