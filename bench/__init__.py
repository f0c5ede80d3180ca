"""Measures this project beside its peers: `make bench` writes bench/RESULTS.md. Nothing of the project imports it."""
