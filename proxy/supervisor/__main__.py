"""Entry point of the supervisor's process."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import msgspec
from setproctitle import setproctitle

from proxy.core.stderr import patient_stderr
from proxy.core.upstreams import from_processes
from proxy.processes import SIGNALS, read_handed, supervisor_lock
from proxy.supervisor.launching import Orders
from proxy.supervisor.listening import sign, take_data_directory
from proxy.supervisor.supervising import Supervisor


def main() -> NoReturn:
    """Take the data directory, then supervise until told to stop."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored by who started us, deaths would not be told
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    setproctitle("sightglass: supervisor")
    patient_stderr()
    fd = int(sys.argv[1])
    orders = msgspec.json.decode(read_handed(fd), type=Orders)
    os.close(fd)
    config, _upstreams = from_processes(bytes(orders.settings))
    os.umask(0o077)
    data = Path(config.data)
    try:
        lock = take_data_directory(data)
    except BlockingIOError:
        holder = supervisor_lock(data).read_text().strip()
        sys.exit(f"sightglass: {data} is in use by process {holder}; stop that one or choose another --data")
    except OSError as error:
        sys.exit(f"sightglass: {data} cannot be used as data directory: {error.strerror}; choose another --data")
    try:
        supervisor = Supervisor(config, orders)
        supervisor.open_ports()
    except OSError as error:
        sys.exit(f"sightglass: cannot listen on {error.strerror}; choose another port, or stop what has it")
    sign(lock)
    status = supervisor.run()
    os.close(lock)
    sys.exit(status)


if __name__ == "__main__":
    main()
