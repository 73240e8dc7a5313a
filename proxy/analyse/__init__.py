"""Readers of what the observer made of calls: they look over many of them. Nothing here is on a request's path."""
