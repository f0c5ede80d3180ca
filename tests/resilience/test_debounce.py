"""Messages that come in a burst are answered together, one that comes alone in the webhook still."""

from collections.abc import Iterator

import pytest

from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Line, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("runtime")
    url = make_database() if request.param == "postgresql" else f"sqlite:///{folder}/runtime.db"
    running = start_runtime(folder, sandbox_process, DATABASE_URL=url, DEBOUNCE_SECONDS="1")
    sandbox_process.reset()
    yield open_line(running, sandbox_process)
    running.stop()
    if request.param == "postgresql":
        drop_database(url)


def asked(shop: Line) -> list[str]:
    """What the model was asked last."""
    call = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1]
    return [item["content"] for item in call["body"]["input"] if item["role"] == "user"]


def test_a_burst_is_answered_together_and_in_order(shop: Line) -> None:
    user = "+56911111111"
    for text in ("Hola", "quería", "una mesa"):
        before = shop.received()
        shop.write(text, user, wait=0)
        wait_until(lambda before=before: shop.received() > before, what="the message")
    wait_until(lambda: len(shop.outbound(user)) > 0, what="the answer")

    assert asked(shop) == ["Hola", "quería", "una mesa"]
    assert len(shop.outbound(user)) == 1


def test_a_message_that_comes_alone_is_answered_in_its_webhook(shop: Line) -> None:
    outcome = shop.write("Hola", "+56922222222")

    assert [answer["via"] for answer in outcome["answers"]] == ["twiml"]


def test_a_stream_without_a_pause_is_answered_before_it_ends(shop: Line) -> None:
    user = "+56933333333"
    sent = 0

    def one_more() -> bool:
        nonlocal sent
        if not shop.outbound(user):
            sent += 1
            shop.write(f"mensaje {sent}", user, wait=0.3)
        return bool(shop.outbound(user))

    wait_until(one_more, what="an answer in the middle of the stream")
