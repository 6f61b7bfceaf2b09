"""Karpenter: buys nodes for pods that fit nowhere, and gives back nodes that are not needed.

Source: kubernetes-sigs/karpenter v1.14 (pkg/controllers, pkg/scheduling) and its AWS provider. It never binds
pods: the scheduler does, when the node is ready.
"""
