"""Upstream's numeric cases; conftest.py says how they are run."""
