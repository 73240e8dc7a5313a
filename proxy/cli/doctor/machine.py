"""Doctor: clock, limits of the system, the parts we are built from."""

from __future__ import annotations

import importlib
import platform
import resource
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from proxy.cli.doctor.findings import Finding, ok, warning, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.core.config import Price

_FILES_ADVISED: Final = 4096
# Before the first release, or long after: a machine without a clock battery starts in 1970 or 2000.
_EARLIEST, _LATEST = 2025, 2100


def examine_clock() -> Finding:
    """Sane, going forwards, and with a known offset from UTC."""
    before, now, after = time.monotonic(), datetime.now(UTC), time.monotonic()
    if not _EARLIEST <= now.year < _LATEST:
        return wrong("clock", f"it says {now:%Y-%m-%d}", "set the machine's clock (timedatectl set-ntp true)")
    if after < before:
        return wrong("clock", "the monotonic clock went backwards", "look into the kernel's log for its clock source")
    offset = now.astimezone().strftime("%z")
    return ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC; here UTC{offset[:3]}:{offset[3:5]}")


def examine_limits() -> Finding:
    """Open files: a call under way holds two, client's and upstream's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    if unlimited or soft >= _FILES_ADVISED:
        return ok("open files", "no limit" if unlimited else f"up to {soft}")
    enough = hard == resource.RLIM_INFINITY or hard >= _FILES_ADVISED
    todo = f"ulimit -n {_FILES_ADVISED} before the start" if enough else "raise LimitNOFILE= of the service, or nofile"
    return warning("open files", f"up to {soft}, so about {max(0, soft - 64) // 2} calls at once", todo)


def examine_parts(own: Mapping[str, Price] | None = None) -> list[Finding]:
    """Python, the C parsers and loop that make it fast, the price file. own: the settings' `prices`."""
    return [_python(), *_compiled(), examine_prices(own)]


def _python() -> Finding:
    system = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"
    return ok("python", system)


def _compiled() -> list[Finding]:
    slow = [
        name for name, there in (("aiohttp's C parser", _c_parser()), ("uvloop", _importable("uvloop"))) if not there
    ]
    if not _importable("httptools"):
        return [wrong("parts", "httptools cannot be imported", "install again: make setup")]
    if slow:
        found = f"{' and '.join(slow)} missing: it works, at several times the cost"
        return [warning("parts", found, "install from wheels, not from source: make setup")]
    return [ok("parts", "aiohttp's C parser, httptools and uvloop are there")]


def _c_parser() -> bool:
    try:
        from aiohttp import http_parser
    except ImportError:
        return False
    return bool(http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy)


def _importable(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def examine_prices(own: Mapping[str, Price] | None = None) -> Finding:
    """litellm's price file, as the observer will read it, and whether it has the shadow models of the settings."""
    from proxy.observe.model_names import price_key
    from proxy.observe.price_file import PriceFile, installed_price_file

    file = PriceFile(installed_price_file())
    status = file.status
    if not status.entries:
        found = f"no price file ({status.error or 'litellm is not installed'}): calls are counted, but not priced"
        return warning("prices", found, "install again (make setup), or give your own under `prices`")
    shadows = {price.shadow_model for price in (own or {}).values() if price.shadow_model is not None}
    strange = sorted(model for model in shadows if price_key(file, model) is None)
    if strange:
        found = f"shadow_model {', '.join(strange)} is not in litellm's price file"
        return warning("prices", found, "write a name as in that file: gpt-4o-mini")
    changed = datetime.fromtimestamp(status.modified_unix_s or 0, UTC)
    return ok("prices", f"litellm's price file, {status.entries} models, installed {changed:%Y-%m-%d}")
