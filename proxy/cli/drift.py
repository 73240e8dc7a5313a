"""`sightglass drift`: what changed in the answers. `replay` looks over a file, the other commands over the ledger."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import click
import orjson

_HELP: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_LONGEST_LINE: Final = 256 * 1024 * 1024
EXIT_BAD_LINES: Final = 3


_where = click.option("--data", metavar="DIR", envvar="SIGHTGLASS_DATA", help="Where the ledger is.")
_config = click.option(
    "--config",
    metavar="FILE",
    help="Settings file: where the ledger is, how the detector is set.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@click.group(context_settings=_HELP)
def drift() -> None:
    """Notice that a model changed, and stay silent when it did not.

    docs/drift.md says how to read an alarm.
    """


@drift.command(context_settings=_HELP)
@click.option("--input", "path", metavar="FILE", help="JSON lines, one answer each; - is standard input.")
@click.option(
    "--budget", metavar="N", type=click.FloatRange(min=100), default=20_000, show_default=True,
    help="One false alarm in that many answers.",
)  # fmt: skip
@click.option("--scores", metavar="FILE", help="Also write quality, its parts and hard faults, one line an answer.")
@click.option("--ledger", is_flag=True, help="Replay the answers of the ledger instead of a file.")
@_where
@_config
def replay(
    *, path: str | None, budget: float, scores: str | None, ledger: bool, data: str | None, config: str | None
) -> None:
    """Look over recorded answers in their order, and print one JSON line an event.

    A line is an object with `prompt`, `response`, and what there is of `latency_ms`, `prompt_tokens`,
    `completion_tokens`, `finish_reason`, `model`, `response_format`, `in_flight`, `route`. Lines that cannot be read
    are told with their number and left out; the others keep their index, and the exit status is 3 in the end.
    """
    if math.isnan(budget):
        raise click.UsageError("--budget: expected a number of answers, got nan")
    if ledger == (path is not None):
        raise click.UsageError("give either --input FILE or --ledger")
    if ledger:
        from proxy.cli.drift_ledger import replay_ledger

        replay_ledger(data, config, budget, _print)
        return
    assert path is not None
    if scores is not None and (scores == "-" or _same_file(path, scores)):
        raise click.UsageError(f"--scores {scores}: give another file; standard output has the events")
    with _opened(path) as lines, _written(scores) as written:
        bad = _replay(lines, budget, written, size=_size(path))
    if bad:
        click.echo(f"sightglass: {bad} {'line' if bad == 1 else 'lines'} could not be read and were left out", err=True)
        sys.exit(EXIT_BAD_LINES)


def _replay(lines: BinaryIO, budget: float, written: BinaryIO | None, *, size: int | None) -> int:
    """How many lines were bad. Nothing is read ahead: events come as soon as their answer was read."""
    from proxy.analyse.drift.replay import Replay
    from proxy.analyse.drift.scoring import scores_of

    replaying, bad = Replay(budget), 0
    index = -1
    with _progress(size) as advance:
        for number, line in enumerate(lines, 1):
            advance(len(line))
            if not line.strip():
                continue
            index += 1
            try:
                record = _record(line)
                events = replaying.feed(record)
            except (ValueError, TypeError) as error:
                bad += 1
                replaying.index = index  # feed() may have counted it or not
                click.echo(f"line {number}: {error}", err=True)
                continue
            for event in events:
                _print(event)
            if written is not None and replaying.signals is not None:
                written.write(orjson.dumps(scores_of(index, record, replaying.signals)) + b"\n")
    return bad


def _record(line: bytes) -> dict[str, Any]:
    if len(line) > _LONGEST_LINE:
        raise ValueError(f"is {len(line)} bytes long; at most {_LONGEST_LINE} are read")
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        record = _lenient(line)
    if not isinstance(record, dict):
        raise TypeError(f"expected a JSON object, got {type(record).__name__}")
    return record


def _lenient(line: bytes) -> Any:
    """Also lone surrogates, which orjson takes for a mistake; bytes that are no UTF-8 become replacement characters."""
    import json

    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected a JSON object, got something else: {error}") from None


def _print(event: Any) -> None:
    """One line; a lone surrogate in a name is told as JSON escapes it."""
    import msgspec

    try:
        click.echo(msgspec.json.encode(event).decode())
    except UnicodeEncodeError:
        import json

        click.echo(json.dumps(msgspec.to_builtins(event), separators=(",", ":")))


def _same_file(path: str, scores: str) -> bool:
    try:
        return path != "-" and Path(path).samefile(scores)
    except OSError:  # one of them is not there
        return False


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    with _at(path, "rb", "--input") as opened:
        yield opened


@contextlib.contextmanager
def _written(path: str | None) -> Iterator[BinaryIO | None]:
    if path is None:
        yield None
        return
    with _at(path, "wb", "--scores") as opened:
        yield opened


def _at(path: str, mode: Literal["rb", "wb"], option: str) -> BinaryIO:
    try:
        return Path(path).open(mode)
    except OSError as error:
        raise click.ClickException(f"{option} {path}: {error.strerror}") from error


def _size(path: str) -> int | None:
    return None if path == "-" else Path(path).stat().st_size or None


@contextlib.contextmanager
def _progress(size: int | None) -> Iterator[Any]:
    """A bar on a terminal, by bytes read; else nothing."""
    if size is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=size, label="answers", file=sys.stderr) as bar:
        yield bar.update


@drift.command(context_settings=_HELP)
@_where
@_config
@_as_json
def status(*, data: str | None, config: str | None, as_json: bool) -> None:
    """Print each route and model: whether it is learning, calm or alarmed, its baseline and its alarms."""
    from proxy.cli import drift_ledger

    found = drift_ledger.status(_directory(data, config))
    for line in map(_json_line, found) if as_json else drift_ledger.status_table(found):
        click.echo(line)


@drift.command(context_settings=_HELP)
@_where
@_config
@_as_json
@click.option("--last", metavar="N", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
def events(*, data: str | None, config: str | None, as_json: bool, last: int) -> None:
    """Print what the detector said, the newest last."""
    from proxy.cli import drift_ledger
    from proxy.core.event import event_json

    found = drift_ledger.events(_directory(data, config), last)
    lines = (_json_line(event_json(event)) for event in found) if as_json else drift_ledger.event_table(found)
    for line in lines:
        click.echo(line)


@drift.command(context_settings=_HELP)
@click.argument("event_id", metavar="ID", type=int)
@_where
@_config
def explain(*, event_id: int, data: str | None, config: str | None) -> None:
    """Say in words what the event ID means: what changed, since when, how strongly, and which calls to look at."""
    from proxy.cli import drift_ledger

    for line in drift_ledger.explained(_directory(data, config), event_id):
        click.echo(line)


@drift.command(context_settings=_HELP)
@click.argument("event_id", metavar="ID", type=int)
@_where
@_config
def accept(*, event_id: int, data: str | None, config: str | None) -> None:
    """Take what the event ID told as the new normal: its route and model learn a new baseline."""
    from proxy.cli import drift_ledger

    click.echo(drift_ledger.accept(_directory(data, config), event_id))


def _directory(data: str | None, config: str | None) -> Path:
    from proxy.cli.options import read_settings

    return Path(data or read_settings({"config": config}).config.data).expanduser()


def _json_line(value: Any) -> str:
    return orjson.dumps(value).decode()
