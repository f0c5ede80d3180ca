"""URLs that the service calls for a client: https, to the public network, read as the HTTP client reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from schemas.public_urls import is_public, refusal

PRIVATE = "leads to an address that is not a public one"
NO_URL = "is not a URL with a host that can be called"


@pytest.mark.parametrize(
    "host",
    [
        "api.lacocina.cl",
        "API.LaCocina.cl:8443",
        "api.lacocina.cl.",
        "my_shop.cl",
        "internal.cl",
        "xn--mnchen-3ya.de",
        "münchen.de",
        "8.8.8.8",
        "[2606:4700::1111]",
        "[64:ff9b::808:808]",
        "[::ffff:8.8.8.8]",
        "[2002:808:808::1]",
    ],
)
def test_a_public_host_may_be_called(host: str) -> None:
    assert refusal(f"https://{host}/reservas?a=1#b", allow_private=False) is None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1:8443",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "240.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::1%25lo]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff0e::1]",
        "[5f00::1]",
        "[2001:db8::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::169.254.169.254]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::1]",
    ],
)
def test_an_address_of_a_network_of_ours_or_of_many_hosts_is_refused(host: str) -> None:
    assert refused(f"https://{host}/") == PRIVATE


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.1.", "１２７.0.0.1", "①27.0.0.1", "127。0。0。1"]
)
def test_another_spelling_of_an_address_is_the_same_address(host: str) -> None:
    assert refused(f"https://{host}/") == PRIVATE


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST.", "app.localhost", "ⓛocalhost", "printer.local", "vault.internal", "nas.home.arpa", "db"],
)
def test_a_name_of_a_network_of_ours_is_refused(host: str) -> None:
    assert refused(f"https://{host}/") == PRIVATE


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https:api.lacocina.cl",
        "https:///reservas",
        "https://a..cl/",
        "https://a b.cl/",
        "https://[::1/",
        "https://[fe80::zz]/",
        "https://[v1.a:b]/",
        "https://127.0.0.1%2e/",
        "https://%31%32%37.0.0.1/",
        "https://127.0.0.1\u00ad/",
        "https://api.lacocina.cl:0/",
        "https://api.lacocina.cl:65536/",
        "https://api.lacocina.cl:https/",
    ],
)
@pytest.mark.parametrize("allow_private", [True, False])
def test_what_no_client_can_call_is_refused_also_in_development(url: str, allow_private: bool) -> None:
    assert refused(url, allow_private=allow_private) == NO_URL


@pytest.mark.parametrize("url", ["https://ana@lacocina.cl/", "https://ana:clave@lacocina.cl/", "https://@lacocina.cl/"])
@pytest.mark.parametrize("allow_private", [True, False])
def test_a_user_in_the_url_is_refused_and_not_repeated(url: str, allow_private: bool) -> None:
    problem = refusal(url, allow_private=allow_private)
    assert problem is not None
    assert problem.reason == "has a user or password in it"
    assert "clave" not in problem.hint


def test_plain_http_and_private_addresses_are_for_development() -> None:
    assert refused("http://api.lacocina.cl/") == "does not begin with https://"
    for url in ("http://127.0.0.1:8080/", "https://localhost/", "http://tienda:9000/"):
        assert refusal(url, allow_private=True) is None
    assert refused("ftp://127.0.0.1/", allow_private=True) == "does not begin with https://"


@pytest.mark.parametrize(
    ("address", "public"), [("8.8.8.8", True), ("2606:4700::1111", True), ("10.0.0.1", False), ("fe80::1%eth0", False)]
)
def test_an_address_that_a_name_resolved_to(address: str, public: bool) -> None:
    assert is_public(address) is public


_PIECES = st.sampled_from(
    [
        "127.0.0.1",
        "localhost",
        "a.cl",
        "::1",
        "[",
        "]",
        "@",
        ":",
        "443",
        "/",
        "\\",
        "?",
        "#",
        "%",
        "2e",
        "。",
        "１",
        ".",
    ]
)


@given(st.lists(_PIECES | st.characters(codec="utf-8"), max_size=8))
def test_what_may_be_called_is_the_same_as_the_client_reads_it(pieces: list[str]) -> None:
    url = f"https://{''.join(pieces)}"
    if refusal(url, allow_private=False) is None:
        assert refusal(str(URL(url)), allow_private=False) is None


def refused(url: str, *, allow_private: bool = False) -> str:
    """The reason for which a URL is refused."""
    problem = refusal(url, allow_private=allow_private)
    return "" if problem is None else problem.reason
