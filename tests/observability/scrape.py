"""Reads /metrics as Prometheus does."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.runtime_process import Runtime


class Scrape:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._samples = [sample for family in self.families.values() for sample in family.samples]

    @property
    def names(self) -> set[str]:
        """Names of all samples."""
        return {sample.name for sample in self._samples}

    def value(self, name: str, **labels: str) -> float:
        """Sum of the samples with these labels; 0 when there is none."""
        return sum(
            sample.value for sample in self._samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def labels_of(self, name: str, label: str) -> set[str]:
        """Values that a label has."""
        return {sample.labels[label] for sample in self._samples if sample.name == name}


def scrape(runtime: Runtime) -> Scrape:
    """One scrape with the token."""
    answer = runtime.api("GET", "/metrics")
    assert answer.status == 200, answer.body
    return Scrape(answer.body.decode())


def exported_names(runtime: Runtime) -> set[str]:
    """Names of the samples that a page may have, also those that nothing was counted of yet."""
    page = runtime.api("GET", "/metrics").body.decode()
    names: set[str] = set()
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            names |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    return names
