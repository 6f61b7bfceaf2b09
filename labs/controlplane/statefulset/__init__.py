"""StatefulSets: pods with a name, an order and claims of their own.

Here: identity and claims, the order of creation, deletion and update, and the controller. Not here: the history of
templates (``labs.controlplane.history``), which DaemonSets have too.
"""
