"""Every metric: name, help, labels, buckets. The one place for them; docs/metrics.md is written from it.

Labels hold closed words (route templates, outcomes, statuses by class, parts), names from the settings (upstreams), or
model names, which clients choose and which are therefore capped: see metrics.py.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from proxy.observe.definitions import calls, drift, judging, observer, relays, upstreams, usage
from proxy.observe.definitions.calls import *  # noqa: F403
from proxy.observe.definitions.drift import *  # noqa: F403
from proxy.observe.definitions.judging import *  # noqa: F403
from proxy.observe.definitions.observer import *  # noqa: F403
from proxy.observe.definitions.relays import *  # noqa: F403
from proxy.observe.definitions.upstreams import *  # noqa: F403
from proxy.observe.definitions.usage import *  # noqa: F403
from proxy.observe.families import Family

# As they are told, and headed in docs/metrics.md.
NOUNS: Final = {
    "Calls": calls,
    "Use": usage,
    "Quality and drift": drift,
    "Judge": judging,
    "Upstreams": upstreams,
    "Relays": relays,
    "Observer": observer,
}


def families_of(noun: ModuleType) -> tuple[Family, ...]:
    """The families of one of these modules, as written there."""
    return tuple(value for value in vars(noun).values() if isinstance(value, Family))


FAMILIES: Final[tuple[Family, ...]] = tuple(family for noun in NOUNS.values() for family in families_of(noun))

UPSTREAM_LABELLED: Final = (calls.LAST_SUCCESS, upstreams.UPSTREAM_UP)  # begin at 0 for each upstream of the settings
