"""Many files at once: memory stays bounded, and messages without files wait for none of them."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zipfile
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.media.folder import AT_ONCE
from tests import media_files
from tests.runtime_process import Line, Runtime, inbound_fields, open_line, signed_webhook
from tests.sandbox_process import Sandbox, wait_until

MEGABYTE = 1024 * 1024
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
CONTENT = {"provider": "twilio", "method": "GET"}


def picture(size: int) -> bytes:
    """A photo of a camera, which is followed by something that no decoder reads."""
    photo = media_files.jpeg(640, 480)
    return photo + bytes(size - len(photo))


def recording(size: int) -> bytes:
    """A minute, as another program than WhatsApp records it: MPEG-4 that says how long it is."""
    about = struct.pack(">4x8xII", 1000, 60_000) + bytes(80)
    head = b"".join(
        struct.pack(">I", len(content) + 8) + kind + content
        for kind, content in (
            (b"ftyp", b"M4A " + bytes(4)),
            (b"moov", struct.pack(">I", len(about) + 8) + b"mvhd" + about),
        )
    )
    return head + struct.pack(">I", size - len(head)) + b"mdat" + os.urandom(size - len(head) - 8)


def document(size: int) -> bytes:
    """An order in Word with a picture that cannot be compressed."""
    packed = io.BytesIO(media_files.docx("Pedido"))
    room = size - len(packed.getvalue()) - 200
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("word/media/image1.jpeg", os.urandom(room))
    return packed.getvalue()


KINDS: dict[str, Callable[[int], bytes]] = {"image/jpeg": picture, "audio/mp4": recording, WORD: document}


def megabytes_of(runtime: Runtime, field: str) -> int:
    """What the process has in memory (VmRSS), or had at most (VmHWM)."""
    status = Path(f"/proc/{runtime.process.pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) // 1024


def url_of(shop: Line, content: bytes, content_type: str) -> str:
    """Where Twilio has a file, which a user sends."""
    before = len(shop.sandbox.ledger(kind="inbound"))
    shop.write("", media=[{"content_type": content_type, "base64": b64encode(content).decode()}], wait=30)
    sent = shop.sandbox.ledger(kind="inbound")[before]
    return str(sent["media"][0]["url"])


def send(shop: Line, user: int, url: str, content_type: str) -> None:
    media = {"NumMedia": "1", "MediaUrl0": url, "MediaContentType0": content_type}
    fields = inbound_fields(shop.number, "", From=f"whatsapp:+5691{user:07d}", **media)
    assert signed_webhook(shop.runtime, fields).status == 200


@pytest.mark.parametrize(
    ("users", "megabytes", "kinds", "most"),
    [(12, 3, ["image/jpeg"], 40), pytest.param(200, 16, [*KINDS], 350, marks=pytest.mark.full)],
    ids=["few", "many"],
)
def test_memory_does_not_grow_with_the_files_that_wait(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, tmp_path: Path, users: int, megabytes: int,
    kinds: list[str], most: int
) -> None:  # fmt: skip
    runtime = runtime_factory(MEDIA_DIR=str(tmp_path / "media"), REPLY_WITHIN_SECONDS="0", SWEEP_SECONDS="0")
    shop = open_line(runtime, sandbox)
    urls = [(url_of(shop, KINDS[kind](megabytes * MEGABYTE), kind), kind) for kind in kinds]
    sandbox.settings(think_seconds=1.5)  # all are in the model's hands at once
    idle = megabytes_of(runtime, "VmRSS")
    Path(f"/proc/{runtime.process.pid}/clear_refs").write_text("5")  # the most it had is what it has now
    for user in range(users):
        send(shop, user, *urls[user % len(urls)])

    def answered() -> Counter[str]:
        sent = [one for one in sandbox.ledger(kind="outbound") if one["from"] == f"whatsapp:{shop.number}"]
        return Counter(one["to"] for one in sent if one["to"].startswith("whatsapp:+5691000"))

    deadline = time.monotonic() + 500
    while len(answered()) < users:
        assert time.monotonic() < deadline, "not all were answered"
        time.sleep(0.05)

    peak = megabytes_of(runtime, "VmHWM")
    print(json.dumps({"idle": idle, "peak": peak}))
    assert peak - idle < most
    assert set(answered().values()) == {1}
    read = Counter(entry["as_kind"] for entry in runtime.log() if entry["event"] == "media_read")
    assert sum(read.values()) == users + len(urls)
    assert set(read) == ({"attached", "audio"} if "audio/mp4" in kinds else {"attached"})


def test_files_that_never_end_hold_up_neither_another_file_nor_words(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0", SWEEP_SECONDS="0")
    shop = open_line(runtime, sandbox)
    endless = url_of(shop, media_files.jpeg(), "image/jpeg")
    sandbox.faults(CONTENT | {"path": f"/AC*/*/{endless.rpartition('/')[2]}", "kind": "endless_body", "seconds": 0.5})
    for user in range(AT_ONCE - 1):
        send(shop, user, endless, "image/jpeg")
    wait_until(lambda: sandbox.fired() == AT_ONCE - 1, what="seven that do not end")

    began = time.monotonic()
    photo = [{"content_type": "image/jpeg", "base64": b64encode(media_files.jpeg(64, 48)).decode()}]
    assert "imagen jpeg 64x48" in shop.ask("", "+56987654321", media=photo)
    for user in range(AT_ONCE, AT_ONCE + 12):
        send(shop, user, endless, "image/jpeg")
    wait_until(lambda: sandbox.fired() == AT_ONCE, what="eight that do not end")
    assert "Hola" in shop.ask("Hola", "+56987654322")

    assert time.monotonic() - began < 5
    assert sandbox.fired() == AT_ONCE
    runtime.kill()
