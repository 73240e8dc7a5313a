"""What a public bind changes, worked out of the settings in one place. No DNS, no I/O."""

from __future__ import annotations

import ipaddress

from proxy.core.config import Config


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a listener there. A name other than localhost may be anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def management_closed(config: Config) -> bool:
    """Whether Ollama's management paths are refused."""
    said = config.access.ollama_management
    return said == "closed" or (said == "auto" and not is_loopback(config.host))


def console_guarded(config: Config) -> bool:
    """Whether the console asks for the admin token."""
    public = not is_loopback(config.console_host) and not config.allow_public_bind
    return config.access.console_login == "required" or public
