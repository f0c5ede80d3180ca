"""The pause before the next attempt: doubled up to a bound, or what the provider asks for; spread upwards only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.resilience.backoff import pause_seconds


@pytest.mark.parametrize(
    ("failures", "longest", "asked", "chance", "expected"),
    [
        (1, 30.0, None, 0.0, 1.0),
        (2, 30.0, None, 0.0, 2.0),
        (3, 30.0, None, 0.0, 4.0),
        (5, 30.0, None, 0.0, 16.0),
        (6, 30.0, None, 0.0, 30.0),
        (5, 15.0, None, 0.0, 15.0),
        (100_000, 15.0, None, 0.0, 15.0),
        (1, 0.5, None, 0.0, 0.5),
        (1, 30.0, None, 0.5, 1.2),
        (1, 30.0, None, 1.0, 1.4),
        (6, 30.0, None, 1.0, 42.0),
        (1, 30.0, 7.0, 0.0, 7.0),
        (9, 30.0, 7.0, 0.0, 7.0),
        (1, 30.0, 7.0, 1.0, 9.8),
        (1, 30.0, 600.0, 0.0, 600.0),
        (1, 30.0, 0.0, 1.0, 1.4),
        (3, 30.0, 0.5, 0.0, 0.5),
        (2, 30.0, -3.0, 0.0, 2.0),
    ],
)
def test_the_pause_is(failures: int, longest: float, asked: float | None, chance: float, expected: float) -> None:
    assert pause_seconds(failures, longest=longest, asked=asked, chance=chance) == pytest.approx(expected)


@given(st.integers(1, 10_000), st.floats(0.1, 600.0), st.none() | st.floats(0.0, 86_400.0))
def test_it_is_never_less_than_what_was_asked_for_and_at_most_two_fifths_more(
    failures: int, longest: float, asked: float | None
) -> None:
    least = pause_seconds(failures, longest=longest, asked=asked, chance=0.0)

    assert least <= pause_seconds(failures, longest=longest, asked=asked) <= least * 1.4


def test_calls_that_failed_together_are_not_repeated_together() -> None:
    assert len({pause_seconds(1, longest=30.0) for _ in range(20)}) > 1
