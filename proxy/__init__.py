"""Sightglass: an OpenAI-compatible reverse proxy that sees everything and changes nothing."""

import os

__version__ = "0.1.0"

# Before anything imports numpy: the second thread of its linear algebra waits in a loop, on a core that others need.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
