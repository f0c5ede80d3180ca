"""A policy on its way from a manifest to a bot's row and out again: nothing is lost, and what is newer is let be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import DataPolicy, Memory, MessageContext, Policy, Replies
from schemas.data_policy import Retention, seconds_of
from schemas.policy import (
    DocumentsPolicy,
    MediaPolicy,
    MediaSentences,
    VoicePolicy,
    document_of,
    keys_of,
    keys_of_document,
)
from schemas.policy_document import PolicyReading, checked_document, read_document

MUTE = Policy(media=MediaPolicy(voice=False))
SHORT = Policy(media=MediaPolicy(documents=DocumentsPolicy(max_pages=3)))
MEMORY = Policy(memory=Memory(items=20))

policies = st.builds(
    Policy,
    memory=st.none()
    | st.builds(
        Memory,
        items=st.none() | st.integers(1, 1000),
        tokens=st.none() | st.integers(100, 1_000_000),
        expires_after=st.none() | st.sampled_from(["12h", "30d", "6mo"]),
        reset_words=st.none() | st.just(["reiniciar"]),
    ),
    timezone=st.none() | st.sampled_from(["America/Santiago", "Pacific/Easter"]),
    context=st.none()
    | st.builds(
        MessageContext,
        now=st.none() | st.booleans(),
        name=st.none() | st.booleans(),
        phone=st.none() | st.sampled_from(["none", "masked", "full"]),
    ),
    media=st.none()
    | st.builds(
        MediaPolicy,
        voice=st.none() | st.booleans() | st.builds(VoicePolicy, max_minutes=st.none() | st.integers(1, 60)),
        documents=st.none() | st.booleans() | st.builds(DocumentsPolicy, max_pages=st.none() | st.integers(1, 100)),
        video=st.none() | st.just(value=False),
        sentences=st.none() | st.builds(MediaSentences, video=st.none() | st.just("Sin videos.")),
    ),
    data=st.none()
    | st.builds(
        DataPolicy,
        sensitive=st.none() | st.just(["health"]),
        retention=st.none() | st.builds(Retention, media=st.none() | st.sampled_from([0, "7d"])),
    ),
    replies=st.none() | st.builds(Replies, one_message=st.none() | st.booleans(), no_reply=st.none() | st.booleans()),
)
newer_keys = st.dictionaries(st.sampled_from(["not_yet", "later"]), st.none() | st.booleans() | st.just({"a": [1]}))
"""Keys that no program of today knows."""


@given(policies)
def test_what_a_policy_says_is_read_back(policy: Policy) -> None:
    reading = read_document(document_of(keys_of(policy)))
    assert keys_of(reading.policy) == keys_of(policy)
    assert reading.ignored == ()


@given(policies, newer_keys, newer_keys)
def test_newer_keys_change_nothing_wherever_they_stand(policy: Policy, above: Any, inside: Any) -> None:
    keys = keys_of(policy)
    newer = {**keys, **above, **({"memory": {**keys["memory"], **inside}} if "memory" in keys else {})}
    reading = read_document(document_of(newer))
    assert keys_of(reading.policy) == keys
    assert set(reading.ignored) == {*above, *(f"memory.{key}" for key in inside if "memory" in keys)}


@given(policies, newer_keys)
def test_a_plan_compares_the_keys_without_the_version(policy: Policy, newer: Any) -> None:
    keys = {**keys_of(policy), **newer}
    assert keys_of_document(document_of(keys)) == {key: value for key, value in keys.items() if value is not None}


@pytest.mark.parametrize("policy", [Policy(), Policy(memory=None), Policy(memory=Memory())])
def test_a_policy_that_says_nothing_is_an_empty_document(policy: Policy) -> None:
    assert document_of(keys_of(policy)) == {}


@pytest.mark.parametrize(
    ("document", "read"),
    [
        ({}, PolicyReading(Policy())),
        ({"version": 1}, PolicyReading(Policy())),
        ({"memory": {"items": 20}}, PolicyReading(MEMORY)),
        ({"version": 2, "memory": {"items": 20}}, PolicyReading(Policy(), ("version",))),
        ({"memory": {"items": "20"}}, PolicyReading(Policy(), ("memory",))),
        ({"memory": {"items": 0, "newer": 1}, "newer": 1}, PolicyReading(Policy(), ("memory", "newer"))),
        ({"memory": None}, PolicyReading(Policy())),
        ({"timezone": "Mars/Olympus", "memory": {"items": 20}}, PolicyReading(MEMORY, ("timezone",))),
        ({"media": {"voice": False}}, PolicyReading(MUTE)),
        (
            {"data": {"sensitive": ["newer"], "retention": {"media": 0, "newer": "1d"}}},
            PolicyReading(
                Policy(data=DataPolicy(sensitive=["newer"], retention=Retention(media=0))), ("data.retention.newer",)
            ),
        ),
        ({"media": {"voice": False, "newer": {}}}, PolicyReading(MUTE, ("media.newer",))),
        (
            {"media": {"documents": {"max_pages": 3, "newer": 1}}},
            PolicyReading(SHORT, ("media.documents.DocumentsPolicy.newer",)),
        ),
    ],
    ids=[
        "nothing",
        "a version alone",
        "no version",
        "another version",
        "a text",
        "out of range",
        "null",
        "no zone",
        "a switch",
        "newer sorts of data",
        "a newer kind of file",
        "a newer rule of a kind",
    ],
)
def test_a_key_that_does_not_fit_is_ignored_and_named(document: dict[str, Any], read: PolicyReading) -> None:
    assert keys_of(read_document(document).policy) == keys_of(read.policy)
    assert read_document(document).ignored == read.ignored


def test_another_version_is_a_difference_to_a_plan() -> None:
    assert keys_of_document({"version": 2, "memory": {"items": 20}}) == {"version": 2, "memory": {"items": 20}}


def test_a_declaration_may_say_more_than_this_program_knows() -> None:
    newer = {"version": 1, "memory": {"items": 20, "summary": ["x"]}, "later": {"lun": []}}
    assert checked_document(newer) == newer


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"version": 1, "memory": {"items": 0}}, r"memory\.items: .*greater than or equal to 1"),
        ({"version": 2}, r"version: Input should be 1"),
    ],
)
def test_a_declaration_of_a_known_key_must_fit(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked_document(document)


@pytest.mark.parametrize(("duration", "seconds"), [("1h", 3600), ("30d", 2_592_000), ("2mo", 5_184_000)])
def test_a_duration_in_seconds(duration: str, seconds: int) -> None:
    assert seconds_of(duration) == seconds
