"""Pod Security admission: the Pod Security Standards, by labels of a namespace.

Source: kubernetes/kubernetes staging/src/k8s.io/pod-security-admission.
"""
