"""A client that searches in documents: the restaurant La Cocina, with its menu and its wines in git."""

from __future__ import annotations

from tests.reconciler.agency import Agency
from tests.sandbox_process import Json

MENU, WINES = "la-cocina/menu.md", "la-cocina/vinos.txt"
STORES = "/v1/vector_stores"


def declare(agency: Agency, *names: str, **keys: object) -> None:
    """A client that searches in these documents."""
    agency.declare("la-cocina", assistant={"tools": [{"type": "file_search", "files": list(names)}]}, **keys)


def store(agency: Agency) -> Json:
    """The one vector store there is."""
    [found] = agency.openai("GET", "/vector_stores")["data"]
    return dict(found)


def files(agency: Agency) -> dict[str, str]:
    """Ids of the files in it, by path."""
    listed = agency.openai("GET", f"/vector_stores/{store(agency)['id']}/files")["data"]
    return {file["attributes"].get("path", ""): file["id"] for file in listed}
