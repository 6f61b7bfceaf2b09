"""The one file that knows every part: a seed and a configuration become a running cluster."""

from __future__ import annotations
