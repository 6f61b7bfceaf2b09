"""Persistent volumes: binding claims, making EBS volumes for them, and keeping what is in use.

Not here: which node a pod with claims may run on (``labs.controlplane.scheduler.volumes``).
"""
