"""What holds for the whole suite."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No timed test: a busy machine is no fault of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
