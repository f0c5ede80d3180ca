"""Engines, which make the answers: one module each, all behind the port `Engine`."""
