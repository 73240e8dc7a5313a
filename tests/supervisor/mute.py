"""A child that never says that it serves."""

import signal

from proxy.processes import SIGNALS

if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    signal.pause()
