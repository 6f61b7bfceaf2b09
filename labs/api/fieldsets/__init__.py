"""Field ownership: which manager set which field (``metadata.managedFields``) and server-side apply.

Here: sets of field paths, their FieldsV1 form, what a write adds and removes, apply's merge and conflicts. Not
here: the patch types that replace values without ownership (``labs.api.patches``).
"""
