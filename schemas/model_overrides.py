"""The installation's own word on models: a YAML file whose rows replace, key by key, those of `schemas.models`.

    gpt-4o-mini: {ends: "2027-06-30"}                                 another date than OpenAI's list
    llama-4: {context: 128000, images: false, files: false, tools: [function], successor: llama-5}

Both programs read it where MODELS_FILE names it; `reconcile` also finds `models.yaml` beside the folder of manifests.
"""

from __future__ import annotations

from pathlib import Path

from schemas.models import use_models

FILE = "models.yaml"


def models_file(clients_dir: Path, named: Path | None) -> Path | None:
    """Where the file is; None where there is none. One that is `named`, by MODELS_FILE, must exist."""
    path = named or clients_dir.parent / FILE
    return path if named is not None or path.exists() else None


def use_models_file(path: Path | None) -> None:
    """Puts the rows of a file over the table, in this process; without a file the table holds. Raises ValueError with
    the file, the line and the column of what is wrong."""
    if path is None:
        use_models({})
        return
    from schemas.model_rows import read_rows, row_over  # few installations have such a file

    rows = read_rows(path)
    dated = [model for model, row in rows.items() if "ends" in row.model_fields_set]
    use_models({model: row_over(model, row) for model, row in rows.items()}, dated)
