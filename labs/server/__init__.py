"""The doors: Kubernetes over HTTPS, AWS and the clock over HTTP, each on 127.0.0.1 and each with its secret.

Adapters only: parsing, authentication, streaming. What is answered is decided in ``world`` and below.
"""
