"""The few shapes of PromQL that the dashboard is written in, evaluated over two scrapes. Any other shape is refused.

[topk(N,] [F *] AGG [by (labels)] ( rate(METRIC[window]) | METRIC | AGG by (labels) (METRIC) ) [)] [or vector(0)]
histogram_quantile(Q, sum by (le[, label]) (rate(METRIC_bucket[window])))
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from prometheus_client.parser import text_string_to_metric_families

from demo.processes import Failed

Labels: TypeAlias = frozenset[tuple[str, str]]
Series: TypeAlias = dict[tuple[tuple[str, str], ...], float]
Scrape: TypeAlias = Mapping[str, Mapping[Labels, float]]

TOPK = re.compile(r"topk\((\d+), (.*)\)$")
FACTOR = re.compile(r"([\d.]+) \* (.*)$")
OR_ZERO = re.compile(r"(.*) or vector\(0\)$")
QUANTILE = re.compile(r"histogram_quantile\(([\d.]+), (.*)\)$")
AGGREGATE = re.compile(r"(sum|max)(?: by \(([\w, ]+)\))? ?\((.*)\)$")
RATE = re.compile(r"rate\((\w+)(?:\{[^}]*\})?\[[^]]+\]\)$")
METRIC = re.compile(r"(\w+)(?:\{[^}]*\})?$")
AGGREGATES: Mapping[str, Callable[[Iterable[float]], float]] = {"sum": math.fsum, "max": max}


def parse(page: str) -> Scrape:
    """The samples of a page, by name and labels."""
    scrape: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            scrape.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return scrape


def evaluate(expression: str, now: Scrape, before: Scrape, seconds: float) -> Series:
    """The value of an expression for every set of labels it has; `before` is the scrape so many seconds earlier."""
    if found := OR_ZERO.match(expression):
        return evaluate(found[1], now, before, seconds) or {(): 0.0}
    if found := TOPK.match(expression):
        series = evaluate(found[2], now, before, seconds)
        return dict(sorted(series.items(), key=lambda item: -item[1])[: int(found[1])])
    if found := FACTOR.match(expression):
        return {labels: float(found[1]) * value for labels, value in evaluate(found[2], now, before, seconds).items()}
    if found := QUANTILE.match(expression):
        return _quantiles(float(found[1]), evaluate(found[2], now, before, seconds))
    if found := AGGREGATE.match(expression):
        by = tuple(name.strip() for name in (found[2] or "").split(",") if name.strip())
        return _grouped(AGGREGATES[found[1]], by, evaluate(found[3], now, before, seconds))
    if found := RATE.match(expression):
        earlier = before.get(found[1], {})
        samples = now.get(found[1], {}).items()
        return {tuple(sorted(labels)): (value - earlier.get(labels, 0.0)) / seconds for labels, value in samples}
    if found := METRIC.match(expression):
        return {tuple(sorted(labels)): value for labels, value in now.get(found[1], {}).items()}
    raise Failed(f"The dashboard's expression is none that this can draw: {expression}")


def _grouped(aggregate: Callable[[Iterable[float]], float], by: tuple[str, ...], series: Series) -> Series:
    groups: dict[tuple[tuple[str, str], ...], list[float]] = {}
    for labels, value in series.items():
        known = dict(labels)
        groups.setdefault(tuple((name, known.get(name, "")) for name in by), []).append(value)
    return {labels: aggregate(values) for labels, values in groups.items()}


def _quantiles(share: float, buckets: Series) -> Series:
    """As Prometheus estimates it: linear within the bucket."""
    groups: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for labels, value in buckets.items():
        rest = tuple(item for item in labels if item[0] != "le")
        groups.setdefault(rest, []).append((float(dict(labels)["le"]), value))
    return {labels: _quantile(share, sorted(group)) for labels, group in groups.items()}


def _quantile(share: float, buckets: list[tuple[float, float]]) -> float:
    total = buckets[-1][1]
    if not total:
        return math.nan
    low, below = 0.0, 0.0
    for upper, count in buckets:
        if count >= share * total:
            if math.isinf(upper):
                return low
            return low + (upper - low) * (share * total - below) / ((count - below) or 1.0)
        low, below = upper, count
    return low
