"""Properties that must hold for any input, tried with Hypothesis."""
