"""Reads the settings: defaults < YAML file < SIGHTGLASS_* environment < command line. All mistakes at once.

The schema is `proxy.core.config`. Only this package imports pydantic and yaml; it runs in the parent process
before anything starts, and the children get its result by `proxy.core.upstreams.to_processes`.

    schema     what each setting may be, read off the structs
    sources    file, environment, command line -> what was said, and where
    mistakes   how a mistake is told
    validation pydantic models built from the schema; types and ranges
    addresses  of upstreams and listeners, taken apart
    access     who could reach us, and whether he would be asked who he is
    admin_token  the console's token, from where the settings say
    upstreams  made ready for the relay: addresses, limits, keys
    checks     what no type can say: addresses, ports that clash, keys that are missing
    loading    all of it in order
"""

from proxy.settings.admin_token import resolve_admin_token
from proxy.settings.loading import DEFAULT_FILES, Loaded, find_file, load
from proxy.settings.mistakes import Mistake, SettingsError
from proxy.settings.upstreams import resolve_upstreams

__all__ = [
    "DEFAULT_FILES",
    "Loaded",
    "Mistake",
    "SettingsError",
    "find_file",
    "load",
    "resolve_admin_token",
    "resolve_upstreams",
]
