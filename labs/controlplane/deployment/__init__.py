"""The Deployment controller: which ReplicaSets there are and how large each one is.

``facts`` holds the values that the rules take, ``limits``, ``rolling``, ``proportional``, ``progress`` and ``revision``
are the rules, ``controller`` reads and writes. Pods belong to ``labs.controlplane.replicaset``.
"""
