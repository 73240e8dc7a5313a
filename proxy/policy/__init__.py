"""Decisions of the request path, from memory: each file one question, none knows another. No I/O here."""
