"""What every test can ask for."""

pytest_plugins = [
    "tests.rerun_hint",
    "tests.interrupts",
    "tests.sandbox_process",
    "tests.runtime_process",
    "tests.bare_server",
]
