"""Who answers: one module for each engine, all behind the port `Engine`."""
