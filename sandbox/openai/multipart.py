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
    content_type: str = ""

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


def parts_of(body: bytes, content_type: str) -> dict[str, Part]:
    """The fields by name, the last of each; errors as of `all_parts`."""
    return {name: parts[-1] for name, parts in all_parts(body, content_type).items()}


def all_parts(body: bytes, content_type: str) -> dict[str, list[Part]]:
    """The fields by name, in their order. Raises OpenAI's 400 for a body that is not a multipart form."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise error(400, "The request must be of type multipart/form-data with a boundary.")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    parts: dict[str, list[Part]] = {}
    for piece in pieces[1:]:
        if not piece.startswith(b"--"):
            part = _part(piece)
            parts.setdefault(part.name, []).append(part)
    return parts


def _part(piece: bytes) -> Part:
    head, _, content = piece.lstrip(b"\r\n").partition(b"\r\n\r\n")
    headers = BytesHeaderParser().parsebytes(head + b"\r\n\r\n")
    name = headers.get_param("name", "", "Content-Disposition")
    return Part(str(name), headers.get_filename(), content, headers.get("Content-Type", ""))
