"""Who may see the console: asked once, before anything is routed, so that no new page can forget it.

Unguarded (on loopback, unless access.console_login says otherwise) everybody may who reaches it. Guarded, a person logs
in with the admin token and has a cookie from then on; a program sends the token as `Authorization: Bearer`.
"""

from __future__ import annotations

import logging
import math
from typing import Final
from urllib.parse import quote

from aiohttp import web

from proxy.console.login import login_page
from proxy.console.sessions import SESSION_S, Sessions, Tries

COOKIE: Final = "sightglass_session"
LOGIN: Final = "/login"
LOGOUT: Final = "/logout"
# What load balancers and the login page itself need. /health tells strangers its one word only.
OPEN: Final = frozenset({LOGIN, "/style.css", "/ready", "/health"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

log: Final = logging.getLogger("sightglass.console")


class Guard:
    """The door."""

    def __init__(self, token: str | None, *, tries: Tries | None = None) -> None:
        """token: None = nobody is asked."""
        self._sessions = Sessions(token) if token is not None else None
        self._tries = tries or Tries()

    @property
    def guarded(self) -> bool:
        """Whether anybody is asked."""
        return self._sessions is not None

    def routes(self) -> list[web.RouteDef]:
        """The pages of the door itself."""
        if self._sessions is None:
            return []
        return [web.get(LOGIN, self.page), web.post(LOGIN, self.login), web.post(LOGOUT, self.logout)]

    def refusal(self, request: web.Request) -> web.Response | None:
        """The answer to who may not come in; None: he may."""
        if request.method not in _SAFE and not _same_origin(request):
            return web.Response(status=403, text="Only pages of this console may do that.\n")
        if request.path in OPEN or self.knows(request):
            return None
        if request.headers.get("Authorization"):
            return self._wrong_bearer(request)
        if request.method in _SAFE and "text/html" in request.headers.get("Accept", ""):
            return web.Response(status=303, headers={"Location": f"{LOGIN}?to={quote(request.path)}"})
        return _unauthorized(
            "Send the admin token as `Authorization: Bearer TOKEN`; `sightglass token` says where it is."
        )

    def knows(self, request: web.Request) -> bool:
        """Whether this is the admin, or nobody is asked."""
        sessions = self._sessions
        if sessions is None:
            return True
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if token:
            return scheme.lower() == "bearer" and sessions.is_token(token.strip())
        return sessions.is_open(request.cookies.get(COOKIE, ""))

    async def page(self, request: web.Request) -> web.Response:
        """Where the token is typed in."""
        return _html(login_page(to=_own_path(request.query.get("to", "/"))))

    async def login(self, request: web.Request) -> web.Response:
        """Token in, cookie out. Five wrong ones a minute and address."""
        assert self._sessions is not None
        form = await request.post()
        to, said = _own_path(str(form.get("to", "/"))), str(form.get("token", "")).strip()
        if wait_s := self._tries.wait_s(_address(request)):
            page = login_page(to=to, wrong=f"Too many tries. Wait {math.ceil(wait_s)} seconds.")
            return _html(page, status=429, headers={"Retry-After": str(math.ceil(wait_s))})
        if not self._sessions.is_token(said):
            self._note_wrong(request)
            return _html(login_page(to=to, wrong="That is not the admin token."), status=403)
        answer = web.Response(status=303, headers={"Location": to})
        secure = request.scheme == "https"
        answer.set_cookie(
            COOKIE, self._sessions.begin(), max_age=SESSION_S, httponly=True, samesite="Strict", secure=secure, path="/"
        )
        return answer

    async def logout(self, _request: web.Request) -> web.Response:
        """The browser forgets its session."""
        answer = web.Response(status=303, headers={"Location": LOGIN})
        answer.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return answer

    def _wrong_bearer(self, request: web.Request) -> web.Response:
        """A right one always passes: it is too long to be guessed. Wrong ones are slowed like those of the page."""
        if wait_s := self._tries.wait_s(_address(request)):
            headers = {"Retry-After": str(math.ceil(wait_s))}
            return web.Response(status=429, text="Too many wrong tokens; wait.\n", headers=headers)
        self._note_wrong(request)
        return _unauthorized("That is not the admin token.")

    def _note_wrong(self, request: web.Request) -> None:
        self._tries.note(_address(request))
        log.warning("admin_token_wrong", extra={"client": _address(request)})


def _same_origin(request: web.Request) -> bool:
    """Whether a write comes from a page of ours, or from no page at all."""
    origin = request.headers.get("Origin")
    if origin is not None:
        return origin.lower() in (f"http://{request.host}".lower(), f"https://{request.host}".lower())
    return request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")


def _own_path(to: str) -> str:
    """Where to go after the login: a page of ours, whatever the link said."""
    own = to.startswith("/") and to.isascii() and to.isprintable() and not to.startswith(("//", "/\\"))
    return to if own and "\\" not in to and len(to) <= 512 else "/"


def _address(request: web.Request) -> str:
    return request.remote or "?"


def _unauthorized(text: str) -> web.Response:
    return web.Response(status=401, text=text + "\n", headers={"WWW-Authenticate": 'Bearer realm="sightglass"'})


def _html(text: str, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=headers)
