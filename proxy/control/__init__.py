"""Decisions on their way back to the relays: one small file, written whole, followed from memory."""
