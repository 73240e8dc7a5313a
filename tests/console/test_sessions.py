"""Sessions end, cannot be forged, and guesses are counted by address in bounded memory."""

from __future__ import annotations

from proxy.console.sessions import SESSION_S, TRIES, TRIES_S, Sessions, Tries

TOKEN = "sga-0123456789abcdef"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_ends_after_its_time() -> None:
    clock = Clock()
    sessions = Sessions(TOKEN, clock=clock)
    cookie = sessions.begin()

    assert sessions.is_open(cookie)
    clock.now += SESSION_S + 1
    assert not sessions.is_open(cookie)


def test_a_session_outlives_a_restart_but_not_another_token() -> None:
    cookie = Sessions(TOKEN).begin()

    assert Sessions(TOKEN).is_open(cookie)
    assert not Sessions(TOKEN + "x").is_open(cookie)


def test_forged_cookies_open_nothing() -> None:
    cookie = Sessions(TOKEN).begin()
    until, _, signature = cookie.partition(".")
    forged = ["", ".", "x", f"{int(until) + 1}.{signature}", f"{until}.", f"{until}.{'0' * 64}", "é.é", "9" * 9999]

    assert [Sessions(TOKEN).is_open(each) for each in forged] == [False] * len(forged)
    assert TOKEN not in cookie


def test_five_tries_a_minute() -> None:
    clock = Clock()
    tries = Tries(clock=clock)
    waits = []
    for _ in range(TRIES + 1):
        waits.append(tries.wait_s("a"))
        tries.note("a")
        clock.now += 1

    assert waits[:TRIES] == [0.0] * TRIES
    assert waits[TRIES] == TRIES_S - TRIES
    assert tries.wait_s("b") == 0.0
    clock.now += TRIES_S
    assert tries.wait_s("a") == 0.0


def test_a_million_addresses_fill_no_memory() -> None:
    tries = Tries()
    for number in range(30_000):
        tries.note(str(number))

    assert len(tries._tries) == 10_000
