"""Random faults on a small shop, from a seed: what must never happen is checked at every write, and when the faults
stop the shop must become whole again. ``python -m tests.simulation --seeds 200`` runs many seeds."""
