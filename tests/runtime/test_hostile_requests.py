"""Whatever a stranger or a program sends, in any place of any request: it is refused or served, and never breaks.

The places come from the service's own description, so an endpoint that is added is tried too.
"""

import gzip
import itertools
import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import pytest
from twilio.request_validator import RequestValidator

from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import API_TOKEN, Runtime, inbound_fields, new_number, start_runtime
from tests.sandbox_process import ACCOUNT_SID, AUTH_TOKEN, Sandbox

TEXTS: dict[str, bytes] = {
    "empty": b"",
    "blank": b" ",
    "NUL": b"a\x00b",
    "control characters": b"\x1b[31m\x7f\x08",
    "no UTF-8": b"\xff\xfe",
    "half a surrogate pair": b"\xed\xa0\x80",
    "a non-character": "\ufffe\uffff".encode(),
    "thousands of digits": b"9" * 5000,
    "more than 64 bits": b"9223372036854775808",
    "other digits": "٣²③".encode(),  # to some functions of Python only
    "negative": b"-1",
    "no number": b"NaN",
    "a long word": b"x" * 3000,
    "separators": b"..//\\%25?#&=;,\"'{}",
}
VALUES: dict[str, str] = {
    "NUL": r'"a\u0000b"',
    "half a surrogate pair": r'"\ud800"',
    "thousands of digits": "9" * 5000,
    "a text of digits": f'"{"9" * 5000}"',
    "many digits": "9" * 4000,
    "more than 64 bits": "9223372036854775808",
    "a huge exponent": "1e400",
    "no number": "NaN",
    "infinite": "-Infinity",
    "null": "null",
    "true": "true",
    "nested": "[" * 500 + "]" * 500,
    "nested to the limit of most": '{"a":[' * 480 + "1" + "]}" * 480,
    "nested more": '{"a":' * 5000 + "1" + "}" * 5000,
    "a NUL as a key": r'{"a\u0000b": "c"}',
    "half a pair as a key": r'{"\ud800": "c"}',
    "a list of such": r'[{"type": "a\u0000b", "\ud800": 9223372036854775808, "n": NaN}]',
    "empty": '""',
}
HEADERS = ("Authorization", "X-Managed-By", "Content-Type", "Content-Encoding", "Accept", "Accept-Encoding", "Expect",
           "Host", "Cookie", "X-Forwarded-For", "X-Twilio-Signature", "X-Twilio-Webhooks-Signature-Settings",
           "If-Match", "Range", "Transfer-Encoding", "Content-Length", "Upgrade")  # fmt: skip
FRAMING = ("Content-Length", "Transfer-Encoding", "Expect", "Upgrade")
"""Headers with which a server may wait for more than was sent."""
FORM = "application/x-www-form-urlencoded"
FAILURES = frozenset({"request_failed", "store_unavailable", "message_not_stored", "status_not_stored"})


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("hostile")
    url = make_database() if request.param == "postgresql" else f"sqlite:///{folder}/runtime.db"
    running = start_runtime(folder, sandbox_process, DATABASE_URL=url, RATE_PER_USER="0", REPLY_WITHIN_SECONDS="0")
    yield running
    running.stop()
    if request.param == "postgresql":
        drop_database(url)


@pytest.fixture(scope="module")
def described(service: Runtime) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each operation, with the schema of its body put in place."""
    document = service.api("GET", "/openapi.json").json
    schemas = document["components"]["schemas"]
    return [
        (method.upper(), path, operation | {"fields": _fields(operation, schemas)})
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


@pytest.fixture
def nothing_broke(service: Runtime) -> Iterator[None]:
    """No exception was logged meanwhile."""
    before = len(service.log())
    yield
    broken = [entry for entry in service.log()[before:] if entry["event"] in FAILURES]
    assert [(entry["event"], entry.get("path"), entry.get("error")) for entry in broken] == []


def _fields(operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The fields of an operation's body."""
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return {}
    schema = content["application/json"]["schema"]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    fields: dict[str, Any] = schema["properties"]
    return fields


def status_of(
    service: Runtime,
    method: str,
    target: bytes,
    headers: dict[str, bytes] | None = None,
    body: bytes = b"",
    *,
    ends: bool = False,
) -> int:
    """The status of a request that is sent byte by byte as given.

    With `ends` nothing can follow it: a server that waits for more sees the end, and closes without an answer, which is
    400 here. Otherwise it is answered.
    """
    given = {
        "Host": b"127.0.0.1",
        "Authorization": f"Bearer {API_TOKEN}".encode(),
        "Content-Type": b"application/json",
        "Content-Length": str(len(body)).encode(),
        "Connection": b"close",
    } | (headers or {})
    lines = [f"{method} ".encode() + target + b" HTTP/1.1", *(n.encode() + b": " + v for n, v in given.items())]
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection, method=method)
        try:
            response.begin()
        except (ConnectionError, ValueError):
            if ends:
                return 400
            raise
        response.read()
        return response.status


def is_broken(status: int, path: str) -> bool:
    """Whether an answer says that the service or its store failed. Twilio may refuse a message, which is 502."""
    return status >= 500 and not (status == 502 and path.startswith(("/messages/", "/users/")))


def paths(template: str, value: bytes) -> Iterator[bytes]:
    """The path with a value in place of each of its parameters, the others being well-formed."""
    pieces = template.split("{")
    for hostile in range(1, len(pieces)):
        path = pieces[0].encode()
        for index, piece in enumerate(pieces[1:], start=1):
            path += (value if index == hostile else b"a") + piece.partition("}")[2].encode()
        yield path


@pytest.mark.usefixtures("nothing_broke")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_text_in_a_path_breaks_it(
    service: Runtime, described: list[tuple[str, str, dict[str, Any]]], text: bytes
) -> None:
    tried = [
        (method, path, target, status_of(service, method, target))
        for method, path, _ in described
        for target in paths(path, quote_from_bytes(text, safe="").encode())
    ]
    assert [found for found in tried if is_broken(found[-1], found[1])] == []


@pytest.mark.usefixtures("nothing_broke")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_text_in_a_query_breaks_it(
    service: Runtime, described: list[tuple[str, str, dict[str, Any]]], text: bytes
) -> None:
    tried = []
    for method, path, operation in described:
        names = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"]
        for name in (*names, quote_from_bytes(text)):
            target = next(paths(path, b"a"), path.encode()) + f"?{name}=".encode() + quote_from_bytes(text).encode()
            tried.append((method, path, name, status_of(service, method, target)))
    assert [found for found in tried if is_broken(found[-1], found[1])] == []


@pytest.mark.usefixtures("nothing_broke")
@pytest.mark.parametrize("header", HEADERS)
def test_no_text_in_a_header_breaks_it(service: Runtime, header: str) -> None:
    targets = (("GET", "/bots/"), ("PUT", "/bots/a"), ("GET", "/metrics"), ("GET", "/ready"), ("POST", "/messages/"),
               ("POST", "/webhook/whatsapp"), ("POST", "/webhook/whatsapp/status"))  # fmt: skip
    tried = []
    for (method, path), (name, text) in itertools.product(targets, TEXTS.items()):
        for value in (text, b"Bearer " + text):
            body = b"{}" if method != "GET" else b""
            status = status_of(service, method, path.encode(), {header: value}, body, ends=header in FRAMING)
            tried.append((method, path, name, status))
    assert [found for found in tried if is_broken(found[-1], found[1])] == []


@pytest.mark.usefixtures("nothing_broke")
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("headers", [{}, {"X-Managed-By": b"reconcile"}], ids=["by hand", "by the reconciler"])
def test_no_value_in_a_body_breaks_it(
    service: Runtime, described: list[tuple[str, str, dict[str, Any]]], value: str, headers: dict[str, bytes]
) -> None:
    tried = []
    for method, path, operation in described:
        target = next(paths(path, b"a"), path.encode())
        whole = {name: _well_formed(name) for name in operation["fields"]}
        for name in operation["fields"]:
            others = {other: given for other, given in whole.items() if other != name and given is not None}
            body = json.dumps(others)[:-1] + (", " if others else "") + f'"{name}": {value}}}'
            tried.append((method, path, name, status_of(service, method, target, headers, body.encode())))
    assert [found for found in tried if is_broken(found[-1], found[1])] == []


def _well_formed(name: str) -> object:
    """A value that a field of that name accepts; None where it may be left out."""
    values: dict[str, object] = {
        "name": "Bot", "instructions": "Hola.", "model": "gpt-6-luna", "to": "+56912345678", "body": "Hola",
        "live_id": "x", "values": {}, "owner": "a", "ttl_seconds": 1, "id": "run", "started_at": "x", "actor": "x",
        "digest": "x", "fingerprint": "x", "notified_at": "x", "numbers": {"a": "+15550000001"},
        "twilio_phone_number": new_number(),
    }  # fmt: skip
    return values.get(name)


@pytest.mark.usefixtures("nothing_broke")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_text_in_a_webhook_breaks_it(service: Runtime, text: bytes) -> None:
    bot = service.made("/bots/", {
        "name": "Bot", "instructions": "Hola.", "model": "gpt-6-luna", "twilio_phone_number": new_number(),
    })  # fmt: skip
    number = bot["twilio_phone_number"]
    inbound = inbound_fields(number) | {
        "ProfileName": "Ana", "WaId": "56912345678", "ExternalUserId": "US.1", "MessageType": "text", "NumMedia": "1",
        "MediaUrl0": "https://x/1", "MediaContentType0": "image/jpeg", "Latitude": "1", "Longitude": "1", "Label": "x",
        "Address": "x", "ButtonText": "x", "ButtonPayload": "x", "ListId": "x", "ListTitle": "x", "FlowData": "{}",
        "InteractiveData": "{}", "ChannelMetadata": "{}", "OriginalRepliedMessageSid": "SM1", "ReferralBody": "x",
        "ReferralSourceUrl": "https://x", "SmsStatus": "received", "NumSegments": "1", "ApiVersion": "2010-04-01",
    }  # fmt: skip
    callback = {
        "AccountSid": ACCOUNT_SID, "MessageSid": "SM1", "MessageStatus": "delivered", "From": f"whatsapp:{number}",
        "To": "whatsapp:+56912345678", "ErrorCode": "63016", "ChannelToAddress": "x", "EventType": "READ",
    }  # fmt: skip
    tried = []
    for path, fields in (("/webhook/whatsapp", inbound), ("/webhook/whatsapp/status?message=1", callback)):
        for name in (*fields, None):
            given = fields | ({name: text} if name else {})
            target = path if name else path.replace("message=1", "message=") + quote_from_bytes(text, safe="")
            tried.append((path, name, _posted(service, target, given)))
        for prefix in ("whatsapp:", "whatsapp:+"):
            tried.append((path, prefix, _posted(service, path, fields | {"From": prefix.encode() + text})))
            tried.append((path, prefix, _posted(service, path, fields | {"To": prefix.encode() + text})))
    assert [found for found in tried if is_broken(found[-1], found[0])] == []


def _posted(service: Runtime, target: str, fields: dict[str, Any]) -> int:
    """The status of a form that Twilio's account has signed, as far as its signature can cover such values."""
    parameters = {name: v.decode(errors="replace") if isinstance(v, bytes) else v for name, v in fields.items()}
    signature = RequestValidator(AUTH_TOKEN).compute_signature(service.url + target, parameters)
    headers = {"Content-Type": FORM.encode(), "X-Twilio-Signature": signature.encode()}
    return status_of(service, "POST", target.encode(), headers, urlencode(fields).encode())


@pytest.mark.usefixtures("nothing_broke")
@pytest.mark.parametrize("path", ["/bots/", "/webhook/whatsapp", "/webhook/whatsapp/status"])
@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip", b"identity"])
def test_a_body_that_is_not_compressed_as_it_says_is_refused(service: Runtime, path: str, coding: bytes) -> None:
    kind = b"application/json" if path == "/bots/" else FORM.encode()
    headers = {"Content-Encoding": coding, "Content-Type": kind, "X-Twilio-Signature": b"x"}
    for body in (b"{}", b"\x1f\x8b\x08\x00", gzip.compress(b"{}" * 100)[:-9], b"x" * 70_000):
        assert 400 <= status_of(service, "POST", path.encode(), headers, body) < 500


@pytest.mark.usefixtures("nothing_broke")
@pytest.mark.parametrize("path", ["/bots/", "/webhook/whatsapp", "/webhook/whatsapp/status"])
def test_a_body_that_ends_too_early_breaks_nothing(service: Runtime, path: str) -> None:
    kind = b"application/json" if path == "/bots/" else FORM.encode()
    headers = {"Content-Length": b"1000", "Content-Type": kind, "X-Twilio-Signature": b"x"}
    assert status_of(service, "POST", path.encode(), headers, b"{}", ends=True) == 400
