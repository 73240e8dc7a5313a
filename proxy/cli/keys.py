"""`sightglass keys`: give clients keys, list them, revoke them. The running relays follow within a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import orjson
from msgspec.structs import replace

from proxy.cli.options import read_settings
from proxy.core.client_key import NAME, ClientKey, hash_of, hint_of, new_key
from proxy.core.errors import LedgerBusy, LedgerError

if TYPE_CHECKING:
    from proxy.store import Ledger

_TITLES: Final = ("NAME", "KEY", "STATE", "CREATED", "REVOKED")
Result = TypeVar("Result")
_BUSY_S: Final = 5.0  # how long a ledger that somebody holds locked is waited for


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def keys() -> None:
    """Give clients keys, list them, revoke them.

    While no key was ever made, every call passes. From the first key on each call needs one, as `Authorization: Bearer
    KEY` or `x-api-key: KEY`; others get 401. A running Sightglass follows within a second, without a restart.
    """


def _where(command: Callable[..., None]) -> Callable[..., None]:
    """Options that say whose keys."""
    data = click.option("--data", metavar="DIR", envvar="SIGHTGLASS_DATA", help="Data directory.  [default: settings]")
    return data(click.option("--config", metavar="FILE", help="Settings file to take --data from.")(command))


@keys.command()
@click.argument("name")
@_where
def add(*, name: str, data: str | None, config: str | None) -> None:
    """Make a key for NAME and print it, this once. Only its SHA-256 is kept."""
    if not NAME.fullmatch(name):
        raise click.ClickException(f"{name!r} is no name: letters, digits and . _ @ -, at most 64")
    directory = _directory(data, config)
    key = new_key()
    made = ClientKey(
        name=name, hint=hint_of(key), sha256=hash_of(key.encode()), created_unix_ns=time.time_ns(), revoked_unix_ns=None
    )

    def change(ledger: Ledger) -> bool:
        from proxy.observe.client_keys import agree, publish_keys

        known = agree(directory, ledger)
        _refuse_known(name, known)
        ledger.put_keys([made])
        publish_keys(directory, [made])
        return not known

    first = _with_ledger(directory, change)
    click.echo(key)
    click.echo(f"sightglass: key of {name}, shown this once; give it to the client as its API key", err=True)
    if first:
        click.echo("sightglass: the first key: from now on calls without one are refused", err=True)


@keys.command(name="list")
@_where
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(*, data: str | None, config: str | None, as_json: bool) -> None:
    """Print all keys by name, the oldest first. The keys themselves are nowhere kept."""
    directory = _directory(data, config)
    known = _with_ledger(directory, lambda ledger: _agreed(directory, ledger)) if directory.exists() else ()
    if as_json:
        lines = [orjson.dumps(_as_json(key), option=orjson.OPT_APPEND_NEWLINE) for key in known]
        click.echo(b"".join(lines), nl=False)
        return
    for line in table(known):
        click.echo(line)
    if not known:
        click.echo("sightglass: no keys: every call passes. Make one: sightglass keys add NAME", err=True)


@keys.command()
@click.argument("name")
@_where
def revoke(*, name: str, data: str | None, config: str | None) -> None:
    """Close the key of NAME: within a second no new call passes with it. Running calls finish."""
    directory = _directory(data, config)

    def change(ledger: Ledger) -> bool:
        from proxy.observe.client_keys import publish_keys

        known = {key.name: key for key in _agreed(directory, ledger)}
        if name not in known:
            raise click.ClickException(f"there is no key of {name!r}; `sightglass keys list` shows all")
        if known[name].revoked_unix_ns is not None:
            return False
        closed = replace(known[name], revoked_unix_ns=time.time_ns())
        publish_keys(directory, [closed])  # first: from here on it is closed, whatever becomes of the rest
        ledger.put_keys([closed])
        return True

    was_open = _with_ledger(directory, change)
    click.echo(f"sightglass: the key of {name} {'is revoked' if was_open else 'was revoked before'}", err=True)


def table(known: Sequence[ClientKey]) -> list[str]:
    """Lines for people; none for no keys."""
    rows = [_TITLES, *(_row(key) for key in known)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_TITLES))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return lines if known else []


def _row(key: ClientKey) -> tuple[str, ...]:
    state = "open" if key.revoked_unix_ns is None else "revoked"
    return key.name, f"{key.hint}...", state, _local_time(key.created_unix_ns), _local_time(key.revoked_unix_ns)


def _as_json(key: ClientKey) -> dict[str, Any]:
    from proxy.core.call_json import rfc3339

    told = {"name": key.name, "hint": key.hint, "created_at": rfc3339(key.created_unix_ns)}
    return told if key.revoked_unix_ns is None else {**told, "revoked_at": rfc3339(key.revoked_unix_ns)}


def _local_time(unix_ns: int | None) -> str:
    return "-" if unix_ns is None else datetime.fromtimestamp(unix_ns // 10**9).astimezone().strftime("%Y-%m-%d %H:%M")


def _directory(data: str | None, config: str | None) -> Path:
    # Not yet serving: the keys that a public bind asks for are made here.
    return Path(data or read_settings({"config": config}, serving=False).config.data).expanduser()


def _agreed(directory: Path, ledger: Ledger) -> tuple[ClientKey, ...]:
    from proxy.observe.client_keys import agree

    return agree(directory, ledger)


def _refuse_known(name: str, known: Sequence[ClientKey]) -> None:
    for key in known:
        if key.name == name:
            state = "has a key" if key.revoked_unix_ns is None else "had a key, which is revoked"
            raise click.ClickException(f"{name} {state}; a name means one key in all records, so choose another")


def _with_ledger(directory: Path, change: Callable[[Ledger], Result]) -> Result:
    """Do it with the ledger open; one that is held locked is waited for a while."""
    from proxy.store import open_ledger

    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            with open_ledger(directory) as ledger:
                return change(ledger)
        except LedgerBusy as error:
            if time.monotonic() >= deadline:
                raise click.ClickException(str(error)) from error
            time.sleep(0.1)
        except LedgerError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            raise click.ClickException(f"{directory} cannot be written to: {error.strerror}") from error
