"""Patches as pure functions on wire objects: JSON patch, JSON merge patch, strategic merge patch and their makers.

No function changes its inputs; a result may share unchanged parts with them. What is refused is a ``PatchError`` with
upstream's text. HTTP codes, defaulting and validation do not belong here.
"""
