"""A run of cases as JSON, version 1: a contract for other programs, which only gains keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from reconciler.trying.results import CaseResult, CaseRun, RunResult, State, TriedExchange


def run_json(result: RunResult) -> str:
    """The whole of it."""
    document = {
        "version": 1,
        "exit_code": int(result.exit_code),
        "counts": {state: result.count(state) for state in get_args(State)},
        "calls": result.calls,
        "nano_usd": result.nano_usd,
        "unpriced_calls": result.unpriced,
        "seconds": round(result.seconds, 3),
        "other_servers": list(result.servers),
        "skipped": [{"client": client, "reason": why} for client, why in result.skipped],
        "cases": [_case(case) for case in result.cases],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _case(case: CaseResult) -> Mapping[str, Any]:
    return {
        "client": case.client,
        "name": case.name,
        "place": case.place,
        "state": case.state,
        "passed": case.passed,
        "reasons": list(case.reasons),
        "runs": [_run(one_run) for one_run in case.runs],
    }


def _run(one_run: CaseRun) -> Mapping[str, Any]:
    return {
        "run": one_run.run,
        "state": one_run.state,
        "unjudged": list(one_run.unjudged),
        "nano_usd": one_run.nano_usd,
        "exchanges": [_exchange(exchange) for exchange in one_run.exchanges],
    }


def _exchange(exchange: TriedExchange) -> Mapping[str, Any]:
    judged = exchange.verdict
    return {
        "said": list(exchange.said),
        "files": list(exchange.files),
        "answer": exchange.answer,
        "is_given": exchange.is_given,
        "calls": list(exchange.calls),
        "nano_usd": exchange.nano_usd,
        "failures": [
            {"expectation": one.expectation, "said": one.said, "is_unjudged": one.is_unjudged}
            for one in exchange.failures
        ],
        "verdict": None
        if judged is None
        else {
            "passed": judged.passed,
            "times": judged.times,
            "needed": judged.needed,
            "reasons": list(judged.reasons),
        },
    }
