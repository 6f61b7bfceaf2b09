"""The Job controller: pods that run to their end.

``rules`` decides, ``controller`` reads and writes, ``ttl`` deletes what finished long ago.
"""
