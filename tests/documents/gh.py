"""Stands in for the part of `gh api` that the workflows use; GitHub itself is a JSON file.

The file holds `comments`, each {"id", "user": {"login"}, "body"}, and `pulls`, those of any commit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer one call."""
    parser = argparse.ArgumentParser()
    parser.add_argument("api", choices=["api"])
    parser.add_argument("path")
    parser.add_argument("--paginate", action="store_true")
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--jq", default=".")
    parser.add_argument("--field", default="")
    call = parser.parse_args()
    file = Path(os.environ["GITHUB_OF_THE_TEST"])
    github = json.loads(file.read_text(encoding="utf-8"))
    answer = _answer(call, github)
    file.write_text(json.dumps(github), encoding="utf-8")
    if not call.silent:
        shown = subprocess.run(
            ["jq", "-r", call.jq], input=json.dumps(answer), text=True, capture_output=True, check=True
        )
        sys.stdout.write(shown.stdout)


def _answer(call: argparse.Namespace, github: dict[str, Any]) -> Any:
    if call.path.endswith("/pulls"):
        return github["pulls"]
    if call.method == "GET":
        return github["comments"]
    body = Path(call.field.removeprefix("body=@")).read_text(encoding="utf-8")
    if len(body) > 65_536:
        sys.exit("gh: Body is too long (maximum is 65536 characters) (HTTP 422)")
    if call.method == "PATCH":
        [comment] = [one for one in github["comments"] if str(one["id"]) == call.path.rpartition("/")[2]]
        comment["body"] = body
    else:
        comment = {"id": len(github["comments"]) + 1, "user": {"login": "github-actions[bot]"}, "body": body}
        github["comments"].append(comment)
    return comment


if __name__ == "__main__":
    main()
