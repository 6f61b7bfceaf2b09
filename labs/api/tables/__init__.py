"""Tables as the API server prints them for ``kubectl get``: one printer for each kind, as pure functions.

A module holds the printers of one family of kinds; ``render`` finds the right one. Reading objects from the store and
the rows' ``object`` do not belong here.
"""

from labs.api.tables.custom import render_crd_table
from labs.api.tables.render import render_table

__all__ = ["render_crd_table", "render_table"]
