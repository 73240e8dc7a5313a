"""Upper bounds of the histograms' buckets. Settings that are judged by a bucket must name one of these."""

from __future__ import annotations

from typing import Final

# Loading a 70B model took 140 s, reasoning goes on for minutes: up to 600 s.
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
GAP_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)
OVERHEAD_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)
BYTES: Final = (64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
# Powers of 4, as OpenTelemetry has them for tokens; 65536 is the longest answer that a model is known to give.
TOKENS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536)
# A 70B model on a CPU makes 1 token a second, a small one on a big GPU some hundreds.
RATE_TOKENS: Final = (1, 2.5, 5, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200, 300, 500, 1000)
