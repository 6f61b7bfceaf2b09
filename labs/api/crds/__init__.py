"""Custom resources: their definitions, the schemas in these, and what is served because of them.

Source: kubernetes/kubernetes staging/src/k8s.io/apiextensions-apiserver.
"""
