"""The scientific method as data: hypothesis, probes, method, abort, journal; on any target.

Not here: how a fault works (``labs.chaos``), and what a notebook shows (``labs.course``).
"""
