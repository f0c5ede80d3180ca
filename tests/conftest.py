"""What every test can ask for."""

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")

pytest_plugins = [
    "tests.rerun_hint",
    "tests.interrupts",
    "tests.sandbox_process",
    "tests.runtime_process",
    "tests.bare_server",
    "tests.function_endpoint",
]
