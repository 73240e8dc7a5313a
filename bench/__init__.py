"""Measuring Sightglass against a bare aiohttp pass-through and nginx. Not part of the product."""
