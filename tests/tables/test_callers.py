"""Where a request came from, as far as it can be believed."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request

from runtime.api.callers import CallerAddresses
from terminal.person import session_address

PROXY, CALLER, FORGED = "10.0.0.2", "203.0.113.5", "198.51.100.1"
TRUSTED = [ip_network("10.0.0.0/24"), ip_network("fd00::/8")]


def address(peer: str | None, *forwarded: str) -> str | None:
    headers = [("X-Forwarded-For", value) for value in forwarded]
    request = make_mocked_request("GET", "/", headers=headers)
    return CallerAddresses(TRUSTED).of(request.clone(remote=peer))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        (CALLER, [], CALLER),
        (CALLER, [FORGED], CALLER),
        (PROXY, [CALLER], CALLER),
        (PROXY, [f"{FORGED}, {CALLER}"], CALLER),
        (PROXY, [FORGED, CALLER], CALLER),
        (PROXY, [f"{FORGED}, {CALLER}, 10.0.0.3"], CALLER),
        (PROXY, [], PROXY),
        (PROXY, ["unknown"], PROXY),
        (PROXY, [f"{FORGED}, nonsense"], PROXY),
        ("::ffff:10.0.0.2", [CALLER], CALLER),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("2001:db8::7", [CALLER], "2001:db8::7"),
        ("", [CALLER], None),
    ],
)
def test_only_a_trusted_proxy_is_believed_and_only_about_its_own_peer(
    peer: str, forwarded: list[str], expected: str | None
) -> None:
    assert address(peer, *forwarded) == expected


def test_a_command_has_the_address_of_its_ssh_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert session_address() is None
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.5 51234 10.0.0.2 22")
    assert session_address() == "203.0.113.5"
