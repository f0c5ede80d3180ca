"""The pure parts of the bench that raises a rate: which rates it asks for, what it finds, and how CPU time is read."""

import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cpu import Cpu, seconds_in
from bench.postgresql import Counters
from bench.ramp import Ramp, rounded, sustained

LIMITS = (100.0, 250.0)


def climbed(ramp: Ramp, p99: Callable[[int], float], most: int = 100) -> dict[int, list[float]]:
    """What is measured of a machine whose p99 follows from the rate."""
    taken: dict[int, list[float]] = {}
    for _ in range(most):
        rate = ramp.next_rate(taken)
        if rate is None:
            return taken
        taken.setdefault(rate, []).append(p99(rate))
    raise AssertionError(f"no end after {most} measurements: {taken}")


def carrying(served: int, saturation: int) -> Callable[[int], float]:
    """A machine that keeps p99 within 100 ms up to one rate and within 250 ms up to another."""
    return lambda rate: 20.0 if rate <= served else 180.0 if rate <= saturation else 900.0


def test_a_rate_is_raised_until_both_limits_are_passed_then_halved_in_between() -> None:
    ramp = Ramp(60, LIMITS, growth=1.5, precision=1.1, tries=1)

    taken = climbed(ramp, carrying(220, 260))

    assert list(taken)[:5] == [60, 90, 135, 200, 300]
    assert 200 <= sustained(taken, 100) <= 220
    assert 235 <= sustained(taken, 250) <= 260


@given(st.integers(10, 3000), st.integers(0, 500), st.sampled_from([60, 200, 300]), st.integers(1, 3))
def test_what_is_found_is_within_the_precision(served: int, more: int, first: int, tries: int) -> None:
    ramp = Ramp(first, LIMITS, precision=1.1, tries=tries)

    taken = climbed(ramp, carrying(served, served + more))

    for limit, truth in zip(LIMITS, (served, served + more), strict=True):
        found = sustained(taken, limit)
        assert found <= truth
        assert found >= truth / 1.1 - 2 * 5 or found == 0


def test_one_bad_measurement_of_two_passes_no_limit() -> None:
    ramp = Ramp(60, LIMITS, tries=2)

    assert ramp.next_rate({60: [900.0]}) == 60
    assert ramp.next_rate({60: [900.0, 20.0]}) == 90
    assert sustained({60: [900.0, 20.0]}, 100) == 60


def test_a_machine_that_carries_everything_ends_the_search() -> None:
    taken = climbed(Ramp(60, LIMITS, highest=400), lambda _: 5.0)

    assert max(taken) <= 400
    assert sustained(taken, 100) == max(taken)


def test_a_rate_above_one_that_passed_the_limit_does_not_count() -> None:
    assert sustained({60: [20.0], 90: [300.0], 135: [20.0]}, 250) == 60
    assert sustained({60: [300.0]}, 250) == 0


@pytest.mark.parametrize(("rate", "of_five"), [(1, 5), (12, 10), (13, 15), (62.4, 60)])
def test_rates_are_round(rate: float, of_five: int) -> None:
    assert rounded(rate) == of_five


def test_cpu_time_is_read_whatever_the_program_is_called() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    stat = f"42 (a) b) c) S {' '.join(['0'] * 10)} {3 * ticks} {ticks} 0 0 20 0 9"

    assert seconds_in(stat) == 4.0


def test_a_process_that_began_meanwhile_counts_from_its_beginning() -> None:
    before = Cpu({"replicas": {1: 2.0}, "users": {9: 1.0}})
    after = Cpu({"replicas": {1: 2.5, 2: 0.25}, "users": {9: 1.0}})

    assert after.since(before) == {"replicas": 0.75, "users": 0.0}


def test_what_a_message_takes_is_a_share_of_the_difference() -> None:
    before, after = Counters(None, 10, 100, 1000), Counters(None, 30, 200, 3000)

    assert after.per_message(before, 10) == Counters(None, 2.0, 10.0, 200.0)
    assert Counters(5, 0, 0, 0).per_message(Counters(1, 0, 0, 0), 4).statements == 1.0
