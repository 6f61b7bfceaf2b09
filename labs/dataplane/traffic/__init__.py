"""The request model: stations, clients, sources of load and the ledger of every request.

Knows no Kubernetes object: the network and the kubelet hand it plain stations, views and faults.
"""
