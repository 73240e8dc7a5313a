"""The parent process: binds the ports, starts relays and observer, restarts what dies, drains on SIGTERM.

Knows nothing of HTTP or SQL and imports as little as it can: it must outlive the others.

    launch()                      in the command line's process: hand over the settings, become the supervisor
    python -m proxy.supervisor    the supervisor itself: same pid, less memory
"""

from proxy.supervisor.launching import Orders, launch

__all__ = ["Orders", "launch"]
