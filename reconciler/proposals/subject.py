"""What a proposal is about: a client as its manifest declares it, or one that has no manifest yet."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from reconciler.manifest import Manifest
from schemas import FunctionTool, WebSearchTool

CHARACTERS_PER_TOKEN = 4
"""Of Spanish prose, about."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The client and its assistant, as far as a proposal depends on them."""

    name: str
    country: str
    """Of its number, as ISO 3166 writes it; the people who write are taken to be there too."""
    model: str
    number: str | None = None
    """None where it has none yet."""
    prompt_tokens: int = 500
    documents: tuple[str, ...] = ()
    """Names of files."""
    functions: tuple[str, ...] = ()
    """What the assistant can do in the client's systems, in its own words."""
    recipients: tuple[str, ...] = ()
    """Hosts of those systems, which receive personal data."""
    searches_web: bool = False


def subject_of(manifest: Manifest) -> Subject:
    """The client that a manifest declares."""
    client = manifest.client
    functions = [tool for tool in client.assistant.tools if isinstance(tool, FunctionTool)]
    hosts = (urlsplit(tool.endpoint.url).hostname for tool in functions)
    return Subject(
        name=client.name,
        country=country_of(client.number),
        model=client.assistant.model,
        number=client.number,
        prompt_tokens=-(-len(manifest.instructions) // CHARACTERS_PER_TOKEN),
        documents=tuple(file.path.rpartition("/")[2] for file in manifest.knowledge),
        functions=tuple(tool.description or tool.name for tool in functions),
        recipients=tuple(dict.fromkeys(host for host in hosts if host)),
        searches_web=any(isinstance(tool, WebSearchTool) for tool in client.assistant.tools),
    )


def country_of(number: str) -> str:
    """The country of a number in E.164: `CL`."""
    import phonenumbers  # its metadata takes a while to load

    parsed = phonenumbers.parse(number)
    # An unassigned number, such as one for tests, is at least of its calling code.
    return phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(
        parsed.country_code or 0
    )


def country_name(country: str) -> str:
    """A country's name in Spanish, the code itself where it has no numbers."""
    import phonenumbers
    from phonenumbers import geocoder

    sample = phonenumbers.example_number(country)
    return (geocoder.country_name_for_number(sample, "es") if sample else "") or country
