"""Quotas and limits of a namespace: what an object uses of which quota, as pure functions.

Refusing objects belongs in ``admission``, keeping a quota's status in ``controlplane``.
"""
