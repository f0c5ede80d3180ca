"""The agency's logo for a page that stands alone."""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path
from typing import Final

from runtime.errors import OperatorError

LARGEST: Final = 1 << 20


class NoLogo(OperatorError):
    """The logo that the tariffs name cannot be used."""


def logo_url(logo: str, folder: Path) -> str:
    """The image's address; of a file the image itself, as a data: URL. Raises `NoLogo`."""
    if logo.startswith("https://"):
        return logo
    path = folder / logo
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NoLogo(
            f"The logo {path.absolute()} cannot be read: {error.strerror}. Run the command in the folder of "
            "tariffs.yaml, or give agency.logo an https:// address there."
        ) from error
    kind = mimetypes.guess_type(path.name)[0] or ""
    if not kind.startswith("image/") or len(data) > LARGEST:
        raise NoLogo(
            f"The logo {path.absolute()} is not an image of at most 1 MiB; agency.logo in the tariffs names it."
        )
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
