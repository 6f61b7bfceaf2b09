"""Admission plug-ins: what the server decides by looking at other objects.

Here: one function for each plug-in of a real server's default set that the served kinds need. Not here: rules
that see one object only (``labs.api.strategies``).
"""
