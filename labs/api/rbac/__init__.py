"""Role-based access control: what rules allow, who holds them, who may grant them, which roles a cluster begins with.

What the kinds of ``rbac.authorization.k8s.io`` accept belongs in ``strategies``; asking on each request in ``rest``.
"""
