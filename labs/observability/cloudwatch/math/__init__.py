"""Metric math: its grammar, its values and its functions. Knows neither the store nor the API shapes."""
