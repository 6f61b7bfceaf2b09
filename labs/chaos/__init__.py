"""Faults: each injects and reverts, and acts on the store or the plant as its real counterpart would.

Not here: load (that is a workload like any other), and watching what a fault does.
"""
