"""Sightglass: an OpenAI-compatible reverse proxy that sees everything and changes nothing."""

__version__ = "0.1.0"
