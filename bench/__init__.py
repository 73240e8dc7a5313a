"""Measuring Sightglass against a bare aiohttp pass-through and nginx. Not part of the product."""

import proxy as _proxy  # noqa: F401  (before numpy, as in the product: it settles the threads of linear algebra)
