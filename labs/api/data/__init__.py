"""Data that is shipped as it came from upstream; NOTICE.txt says from where. No code belongs here."""
