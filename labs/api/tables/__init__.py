"""Tables as the API server prints them for ``kubectl get``: one printer for each kind, as pure functions.

A module holds the printers of one family of kinds; ``render`` finds the right one. Reading objects from the store and
the rows' ``object`` do not belong here.
"""
