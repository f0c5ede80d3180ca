"""Settings that cannot be used as they stand, and what is said about them: the variable, never the value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.errors import InvalidSetting
from reconciler.settings import load_settings
from runtime.settings import Secrets, SettingsError, read_settings
from runtime.store.database.url import unknown_kind
from runtime.store.errors import masked
from schemas.environment import checked, read_env_file
from tests.forked import ROOT, programs

MARK = "S3cr3tPw"
SECRETS = ("OPENAI_API_KEY", "TWILIO_AUTH_TOKEN", "API_TOKEN")
OF_THE_RUNTIME = ("TWILIO_AUTH_TOKEN_SECONDARY", "TWILIO_WEBHOOK_SHARED_KEY")
MALFORMED = {
    f"sk-{MARK}\nzzz": "line break",
    f"sk-{MARK}\rzzz": "line break",
    f"“{MARK}”": "typographic quotes",
    f"{MARK}…": "outside of ASCII",
    f"{MARK}ñ": "outside of ASCII",
    f"{MARK}\u200bz": "cannot be seen",
    f"{MARK}\u00a0z": "cannot be seen",
    f"{MARK}\x1b[2Jz": "cannot be seen",
}
STORES = [
    f"postgresql://u:{MARK}{character}1@127.0.0.1:1/x".replace(f"{MARK}{character}1", f"x{character}{MARK}")
    for character in "/?#[]@"
] + [f"postgresql://u:{MARK} 1@127.0.0.1:1/x", f"postgresql://u:p@127.0.0.1:{MARK}/x", f"postgresql://u@a:1,b:{MARK}/x"]


@pytest.mark.parametrize("name", [*SECRETS, "PUBLIC_URL", "TWILIO_ACCOUNT_SID", "SU_TOKEN"])
@pytest.mark.parametrize("value", MALFORMED)
def test_a_value_that_cannot_be_sent_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=MALFORMED[value]) as refused:
        checked(name, value)
    assert MARK not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("OPENAI_API_KEY", "  sk-1\n", "sk-1"),
        ("FALLBACK_MESSAGE", "Perdón.\n¿Otra vez?", "Perdón.\n¿Otra vez?"),
        ("DATABASE_URL", "sqlite:////srv/ñandú@casa/a.db", "sqlite:////srv/ñandú@casa/a.db"),
        ("DATABASE_URL", "postgresql://u:p%40ss@[::1]:5432/x?sslmode=require", None),
        ("BOT_STORE_URL", "postgresql://h/x?user=u&password=a%40b", None),
        ("DATABASE_URL", "postgresql://u:p@a:5432,[::1]:5432/x?target_session_attrs=read-write", None),
        ("LOG_FORMAT", "", ""),
    ],
)
def test_a_value_that_can_be_used_stays_as_it_is(name: str, value: str, read: str | None) -> None:
    assert checked(name, value) == (value if read is None else read)


@pytest.mark.parametrize("url", STORES)
def test_a_store_s_password_with_reserved_characters_is_refused(url: str) -> None:
    for name in ("DATABASE_URL", "BOT_STORE_URL"):
        with pytest.raises(ValueError, match=r"percent-encoded|cannot be read") as refused:
            checked(name, url)
        assert MARK not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////var/lib/a.db", "sqlite:////var/lib/a.db"),
        ("postgresql://u:p@h:5432/x", "postgresql://u:***@h:5432/x"),
        ("postgresql://u@h/x", "postgresql://u@h/x"),
        ("postgresql://u:p@a:1,b:2/x?sslmode=require", "postgresql://u:***@a:1,b:2/x"),
        ("postgresql://h/x?user=u&password=p", "postgresql://h/x"),
        ("postgresql://u:a@b@h/x", "postgresql://u:***@h/x"),
        ("postgresql://u:a/b#c?d[e@h/x?password=p", "postgresql://u:***@h/x"),
        ("postgresql://a/b:c@h/x", "postgresql://***@h/x"),
        ("https://token@h", "https://***@h"),
        ("https://h/?token=t", "https://h/"),
        ("https://h/#t", "https://h/"),
        ("postgresql:/u:p@h/x", "***"),
        ("sk-proj-1", "***"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize("url", [*STORES, f"mysql://u:{MARK}@h/x", MARK, f"postgresql:/u:{MARK}@h/x"])
def test_no_error_about_a_store_shows_its_password(url: str) -> None:
    if not url.endswith(f":{MARK}/x"):  # a port is shown
        assert MARK not in str(unknown_kind(url))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"# cl\xednica\nA=1\n", ".env, line 1: not UTF-8"),
        (b"A=1\nB=\xf1\n", ".env, line 2: not UTF-8"),
        ("A=1\n".encode("utf-16"), ".env is saved as UTF-16"),
        ("A=1\n".encode("utf-16-le"), ".env is saved as UTF-16"),
    ],
)
def test_an_env_file_in_another_encoding_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(ValueError, match=problem):
        read_env_file(tmp_path / ".env")


@pytest.mark.parametrize("content", [b"A=1\n", b"A=1\r\n", b"\xef\xbb\xbfA=1\n", b'export A="1"\n', b"A = 1 # x\n"])
def test_an_env_file_of_any_editor_is_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    assert read_env_file(tmp_path / ".env") == {"A": "1"}


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name in {*SECRETS, *OF_THE_RUNTIME, "DATABASE_URL", "BOT_STORE_URL", "PUBLIC_URL", "TWILIO_ACCOUNT_SID"}:
            monkeypatch.delenv(name)
    return tmp_path


@pytest.mark.parametrize("value", MALFORMED)
def test_both_programs_name_the_variable_at_their_start(
    alone: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    for name in SECRETS:
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            with pytest.raises(InvalidSetting, match=name) as of_reconcile:
                load_settings(alone)
            with pytest.raises(SettingsError, match=name) as of_the_runtime:
                read_settings()
        assert MARK not in f"{of_reconcile.value}{of_the_runtime.value}"
    for name in OF_THE_RUNTIME:
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            with pytest.raises(SettingsError, match=name):
                read_settings()


def test_both_programs_say_that_an_env_file_is_not_utf_8(alone: Path) -> None:
    (alone / ".env").write_bytes(b"# cl\xednica\n")
    with pytest.raises(InvalidSetting, match=r"\.env, line 1: not UTF-8"):
        load_settings(alone)
    with pytest.raises(SettingsError, match=r"\.env, line 1: not UTF-8"):
        read_settings()


def test_a_client_s_malformed_secret_counts_as_not_set(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (alone / ".env").write_text(f'SU_TOKEN="{MARK}…"\n')
    assert Secrets().get("SU_TOKEN") is None
    assert "SU_TOKEN" in (said := capsys.readouterr().out)
    assert MARK not in said


COMMANDS = {
    "reconciler.cli": (["--dry-run"], ["status"], ["drift"], ["doctor", "x"]),
    "runtime": (["migrate"], ["token", "list"], ["serve", "--port", "0"], ["dead-letters", "list"]),
}


@pytest.mark.parametrize(
    ("program", "arguments"), [(program, each) for program, all_of_it in COMMANDS.items() for each in all_of_it]
)
def test_no_command_prints_a_secret_that_it_cannot_use(tmp_path: Path, program: str, arguments: list[str]) -> None:
    (tmp_path / "clients.d").mkdir()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PUBLIC_URL": "https://a.example.cl"}
    store = f"postgresql://u:{MARK}#1@127.0.0.1:1/x"
    for settings in (
        {"OPENAI_API_KEY": f"sk-{MARK}\nzzz", "TWILIO_AUTH_TOKEN": f"{MARK}\n"},
        {"OPENAI_API_KEY": "sk", "DATABASE_URL": store, "BOT_STORE_URL": store},
        {"OPENAI_API_KEY": "sk", "DATABASE_URL": f"x{MARK}", "BOT_STORE_URL": f"x{MARK}"},
    ):
        done = programs().run(program, arguments, tmp_path, environment | settings)
        assert done.returncode != 0
        assert MARK not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
