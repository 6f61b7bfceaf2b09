"""What each kind adds to create and update: defaults, initial status, validation, immutability.

Here: one module for each API group (pods have three). Not here: plug-ins that look at other objects
(``labs.api.admission``) and rules that hold for every kind (``labs.api.apiserver``).
"""
