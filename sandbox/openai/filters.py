"""Filters of a search in documents by the attributes of files: comparisons, or several under `and` and `or`."""

from sandbox.openai.shapes import Check, array, mapping, one_of, record, text, wrong_type

_COMPARISONS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin")


def filters(value: object, path: str) -> None:
    """See `sandbox.openai.shapes.Check`."""
    mapping(value, path)
    kind = value.get("type") if isinstance(value, dict) else None
    (_COMPOUND if kind in ("and", "or") else _COMPARISON)(value, path)


def _compared(value: object, path: str) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _scalar(item, f"{path}[{index}]")
    else:
        _scalar(value, path)


def _scalar(value: object, path: str) -> None:
    if not isinstance(value, str | int | float):
        raise wrong_type(value, path, "a string, a number or a boolean")


_COMPARISON: Check = record({"type": one_of(*_COMPARISONS), "key": text(), "value": _compared}, "type", "key", "value")
_COMPOUND: Check = record({"type": one_of("and", "or"), "filters": array(filters)}, "type", "filters")
