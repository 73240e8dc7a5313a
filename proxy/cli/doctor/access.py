"""Doctor: who may do what. Looks at keys, token and binds; tells neither."""

from __future__ import annotations

import stat
from pathlib import Path

from proxy.cli.doctor.findings import Finding, ok, warning, wrong
from proxy.control.admin_token import token_path
from proxy.control.snapshot import Snapshot, control_path, read_snapshot
from proxy.core.config import Config
from proxy.core.public import console_guarded, is_loopback


def examine_access(config: Config) -> list[Finding]:
    """Clients, the console, and the files that both rest on."""
    data = Path(config.data)
    try:
        snapshot = read_snapshot(control_path(data))
    except (OSError, ValueError) as error:
        found = f"{control_path(data)} cannot be read: {error}"
        return [wrong("keys", found, "run `sightglass keys list`, which brings it back from the ledger")]
    return [_clients(config, snapshot or Snapshot()), _console(config), *_private(data)]


def _clients(config: Config, snapshot: Snapshot) -> Finding:
    opening = sum(key.revoked_unix_ns is None for key in snapshot.keys)
    required = bool(snapshot.keys) or config.access.client_keys == "required"
    if required and not opening:
        return warning("keys", "a key is asked for, and no client has one: nobody can call", "sightglass keys add NAME")
    if required:
        return ok("keys", f"{opening} open, {len(snapshot.keys) - opening} revoked; calls without one are refused")
    if not is_loopback(config.host):
        found = f"{config.host} is public, and nobody is asked who calls (allow_public_bind)"
        return warning("keys", found, "sightglass keys add NAME, unless something in front asks")
    return ok("keys", "none; whoever is on this machine may call")


def _console(config: Config) -> Finding:
    if console_guarded(config):
        return ok("console", "asks for the admin token; `sightglass token` says where it is")
    if not is_loopback(config.console_host):
        found = f"{config.console_host} is public, and nobody is asked (allow_public_bind)"
        return warning("console", found, "access.console_login: required, unless something in front asks")
    return ok("console", "open to whoever is on this machine")


def _private(data: Path) -> list[Finding]:
    findings = []
    for path in (token_path(data), control_path(data)):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            findings.append(warning("data", f"{path} is open to other users (mode {mode:04o})", f"chmod 600 {path}"))
    return findings
