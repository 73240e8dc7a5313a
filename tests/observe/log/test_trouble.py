"""What the process says of itself reaches the outputs in the same form."""

from __future__ import annotations

import logging
from pathlib import Path

import orjson

from proxy.core.config import Log, LogFile
from proxy.observe.log.outputs import LogOutputs
from proxy.observe.log.trouble import TroubleHandler


def test_troubles_go_to_files_in_the_form_of_calls(tmp_path: Path) -> None:
    outputs = LogOutputs(Log(stdout=False, file=LogFile(directory=str(tmp_path))))
    logger = logging.Logger("sightglass.observer")
    logger.addHandler(TroubleHandler(outputs))
    logger.warning("ledger_away", extra={"calls": 3, "error": "a\u2028b"})
    outputs.close()

    line = (tmp_path / "sightglass-warning.log").read_bytes()
    found = orjson.loads(line)
    assert list(found) == ["timestamp", "level", "logger", "event", "calls", "error"]
    assert (found["level"], found["logger"], found["event"]) == ("warning", "sightglass.observer", "ledger_away")
    assert b"\\u2028" in line
