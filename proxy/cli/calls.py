"""`sightglass calls`: the ledger on the terminal, as a table or as JSON lines."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click
import orjson

from proxy.cli.call_table import CallTable
from proxy.cli.options import read_settings
from proxy.core.call import CallRecord
from proxy.core.call_json import call_json
from proxy.core.errors import LedgerBusy, LedgerError, LedgerMissing, LedgerUnavailable
from proxy.store import open_reader

POLL_S: Final = 0.2

Show = Callable[[list[CallRecord]], None]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--data",
    metavar="DIR",
    envvar="SIGHTGLASS_DATA",
    help="Where the ledger is.  [default: as in the settings, else ./sightglass-data]",
)
@click.option("--config", metavar="FILE", help="Settings file to take --data from.")
@click.option("--last", metavar="N", type=click.IntRange(min=0), default=20, show_default=True, help="How many calls.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; what is unknown is left out.")
@click.option("--follow", "-f", is_flag=True, help="Go on printing calls as they end, until Ctrl-C.")
def calls(*, data: str | None, config: str | None, last: int, as_json: bool, follow: bool) -> None:
    """Print the calls that were seen, the newest last.

    A call is in the ledger within a second of its end. In the table - is unknown and ~ is a number of tokens that was
    counted or estimated, not told by the server. docs/calls.md says what every field of --json means.
    """
    directory = Path(data or read_settings({"config": config}).config.data).expanduser()
    show = _show_json if as_json else _table()
    try:
        if follow:
            for batch in followed(directory, last=last):
                show(batch)
        else:
            with open_reader(directory) as reader:
                show([stored.record for stored in reader.last_calls(last)])
    except KeyboardInterrupt:
        return
    except LedgerError as error:
        raise click.ClickException(str(error)) from error


def followed(data: Path, *, last: int, sleep: Callable[[float], None] = time.sleep) -> Iterator[list[CallRecord]]:
    """The last calls, then new ones as they are committed, without end.

    Waits for a ledger that is not there yet; one that was replaced is followed from its first call. Raises LedgerError
    for what waiting does not mend.
    """
    shown: int | None = None  # number of the last call shown; None = none yet
    while True:
        try:
            with open_reader(data) as reader:
                if shown is None:
                    newest = reader.last_calls(max(last, 1))
                    shown = newest[-1].seq if newest else 0
                    yield [stored.record for stored in newest[-last:]] if last else []
                while reader.is_current():
                    batch = reader.calls_after(shown)
                    if batch:
                        shown = batch[-1].seq
                        yield [stored.record for stored in batch]
                    else:
                        sleep(POLL_S)
                shown = 0
        except LedgerMissing as error:
            if shown is None:
                click.echo(f"sightglass: {error}. Waiting for it.", err=True)
            shown = 0
        except (LedgerBusy, LedgerUnavailable):
            pass  # a writer starts or ends, or the disk has a bad moment
        sleep(POLL_S)


def _show_json(records: list[CallRecord]) -> None:
    lines = [orjson.dumps(call_json(record), option=orjson.OPT_APPEND_NEWLINE) for record in records]
    click.echo(b"".join(lines), nl=False)


def _table() -> Show:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    table = CallTable(width=width)

    def show(records: list[CallRecord]) -> None:
        for line in table.lines(records):
            click.echo(line)

    return show
