"""Chaos Crunch: a lab course on keeping an online shop alive, with its cluster built in."""
