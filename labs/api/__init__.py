"""The shared vocabulary and the only shared state: store, watch, REST, schemas, validation, patches, quantities.

Not here: who uses it. Controllers, kubelets and metrics live in rooms of their own and meet in the store.
"""
