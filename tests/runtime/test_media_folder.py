"""The folder of fetched files: bounded in turns and bytes, and empty once nothing is answered."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from runtime.media.folder import AT_ONCE, FILE_BYTES, PREFIX, TURN_BYTES, MediaFolder


@pytest.fixture
def folder(tmp_path: Path) -> MediaFolder:
    return MediaFolder(tmp_path / "media", limit=3 * TURN_BYTES)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def begins(folder: MediaFolder, files: int = 1) -> bool:
    """Whether another turn may begin now."""
    with folder.turn() as turn:
        try:
            async with asyncio.timeout(0.05):
                await turn.begin(files)
        except TimeoutError:
            return False
    return True


async def test_eight_turns_at_once_fetch_and_the_next_one_follows_when_one_has_read(tmp_path: Path) -> None:
    folder = MediaFolder(tmp_path, limit=100 * FILE_BYTES)
    turns = [folder.turn() for _ in range(AT_ONCE)]
    for turn in turns:
        await turn.begin(1)
    assert not await begins(folder)

    turns[0].read()

    assert await begins(folder)
    for turn in turns:
        turn.__exit__(None, None, None)


async def test_room_is_taken_for_all_files_of_a_turn_and_what_they_do_not_need_is_free(folder: MediaFolder) -> None:
    with folder.turn() as first, folder.turn() as second:
        await first.begin(10)
        await second.begin(10)
        with folder.turn() as third:
            await third.begin(10)
            assert not await begins(folder, 1)
        first.new().write_bytes(b"foto")
        first.read()
        assert await begins(folder, 2)
        assert first.left == 0


async def test_a_turn_that_waits_for_room_comes_before_a_smaller_one_that_came_later(folder: MediaFolder) -> None:
    order: list[str] = []

    async def wait(name: str, files: int) -> None:
        with folder.turn() as turn:
            await turn.begin(files)
            order.append(name)

    with folder.turn() as first, folder.turn() as second, folder.turn() as third:
        for turn in (first, second, third):
            await turn.begin(2)
        waiting = [asyncio.create_task(wait("large", 2)), asyncio.create_task(wait("small", 1))]
        await asyncio.sleep(0)
        first.__exit__(None, None, None)
        await asyncio.gather(*waiting)
    assert order == ["large", "small"]


async def test_a_turn_that_is_given_up_while_it_waits_leaves_nothing_taken(folder: MediaFolder) -> None:
    with folder.turn() as first, folder.turn() as second, folder.turn() as third:
        for turn in (first, second, third):
            await turn.begin(2)
        assert not await begins(folder)
    for _ in range(3 * AT_ONCE):
        assert await begins(folder, 2)


async def test_a_file_has_at_most_what_is_left_of_its_turn(folder: MediaFolder) -> None:
    with folder.turn() as turn:
        await turn.begin(3)
        assert turn.left == FILE_BYTES
        with turn.new().open("wb") as file:
            file.truncate(FILE_BYTES + 5)
        assert turn.left == TURN_BYTES - FILE_BYTES - 5


async def test_files_are_removed_with_their_turn_and_the_folder_with_its_process(tmp_path: Path) -> None:
    folder = MediaFolder(tmp_path)
    with folder.turn() as turn:
        await turn.begin(1)
        path = turn.new()
        path.write_bytes(b"foto")
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not path.exists()
    folder.close()
    assert names(tmp_path) == []


def test_what_an_ended_process_left_is_removed_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    left, living, other, unlocked = (tmp_path / f"{PREFIX}{name}" for name in ("a", "b", "c", "d"))
    for folder in (left, living, unlocked):
        folder.mkdir()
        (folder / "1").write_bytes(b"foto")
    other.write_bytes(b"")
    (left / "lock").touch()
    lock = os.open(living / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)

    MediaFolder(tmp_path).remove_left()

    os.close(lock)
    assert sorted(path.name for path in tmp_path.iterdir()) == [living.name, other.name, unlocked.name]
