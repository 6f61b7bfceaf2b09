"""The Kubernetes HTTP API as a pure function: a Request in, a Response or a WatchStream out.

Here: paths, verbs, content types, options, paging, watches, patches on the wire, discovery. Not here: sockets
(``labs.server``), the rules of writes (``labs.api.apiserver``) and of kinds (``labs.api.strategies``).
"""
