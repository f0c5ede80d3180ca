"""What draws docs/dashboard.png understands the dashboard and computes as Prometheus does."""

from __future__ import annotations

import pytest

from demo.processes import Failed
from demo.promql import Scrape, evaluate, parse
from tests.observability.test_dashboard import EXPRESSIONS


def page(count: int) -> Scrape:
    """A scrape after so many messages."""
    return parse(
        f"# TYPE sends counter\n"
        f'sends_total{{client="a",result="sent"}} {count}\n'
        f'sends_total{{client="b",result="sent"}} {3 * count}\n'
        f"# TYPE took_seconds histogram\n"
        f'took_seconds_bucket{{le="1.0"}} {count}\n'
        f'took_seconds_bucket{{le="2.0"}} {2 * count}\n'
        f'took_seconds_bucket{{le="+Inf"}} {2 * count}\n'
    )


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_of_the_dashboard_can_be_drawn(expression: str) -> None:
    evaluate(expression, page(10), page(0), 10)


def test_a_rate_is_by_second_and_added_up_by_label() -> None:
    expression = 'sum by (result) (rate(sends_total{client=~"$client"}[1m]))'

    assert evaluate(expression, page(30), page(10), 10) == {(("result", "sent"),): 8.0}


def test_only_the_largest_are_kept() -> None:
    assert evaluate("topk(1, sum by (client) (sends_total))", page(1), page(0), 10) == {(("client", "b"),): 3.0}


def test_a_quantile_is_estimated_within_its_bucket() -> None:
    expression = "histogram_quantile(0.75, sum by (le) (rate(took_seconds_bucket[1m])))"

    assert evaluate(expression, page(10), page(0), 10) == {(): 1.5}


def test_any_other_shape_is_refused() -> None:
    with pytest.raises(Failed, match="none that this can draw: avg"):
        evaluate("avg(sends_total)", page(1), page(0), 10)
