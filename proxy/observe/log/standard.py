"""Standard output, line by line. A reader that stalls blocks this output's thread and nobody else."""

from __future__ import annotations

import os

from proxy.observe.log.line import Line
from proxy.observe.shipper import Send


def to_descriptor(fd: int) -> Send[Line]:
    """Writes lines to a descriptor. Raises OSError when it takes no more."""

    def send(batch: list[Line]) -> str:
        view = memoryview(b"".join([line.text + b"\n" for line in batch]))
        while view:
            view = view[os.write(fd, view) :]
        return ""

    return send
