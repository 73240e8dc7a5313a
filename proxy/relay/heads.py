"""Heads on their way through: which fields are passed on, which are ours to write, which are struck out for keeping.

Pure. A field passes with name, value and order as it came; only hop-by-hop fields, Host, the framing and, where the
upstream has a key of its own, the client's credentials are ours (RFC 9110 section 7.6.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, Literal

from proxy.wire.headers import HOP_BY_HOP, SECRET

# How the end of an answer's body is told to the client.
Framing = Literal["none", "length", "chunked", "close"]
RawHeaders = Sequence[tuple[bytes, bytes]]

# The client's ways to say who it is to an upstream; replaced by the upstream's key where that has one.
CREDENTIALS: Final = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-litellm-api-key", b"x-goog-api-key"})
STRUCK: Final = b"[struck out]"

# Fields that mean something to us beside being passed on or dropped.
_SPECIAL: Final = (
    HOP_BY_HOP
    | SECRET
    | CREDENTIALS
    | {b"host", b"content-length", b"content-type", b"content-encoding", b"user-agent", b"x-request-id", b"expect"}
    | {b"x-litellm-call-id", b"traceparent", b"tracestate", b"origin"}
)
# What Connection may not take away: framing and addressing are not a hop's to drop.
_NOT_NAMED: Final = frozenset(
    {b"keep-alive", b"close", b"host", b"content-length", b"transfer-encoding", b"", b"te", b"upgrade"}
)
_NO_BODY: Final = frozenset({204, 304})

# Special names by the bytes they came in, so that each spelling is lower-cased once; b"" for a field that is none.
_spellings: Final[dict[bytes, bytes]] = {}
_SPELLINGS_KEPT: Final = 4096
_SPELLING_BYTES: Final = 64  # longer names are nobody's: kept, 4096 of them could be 128 MB
# What stands for a name that servers may take for another: `_` is `-` to CGI, WSGI and PHP, so X_Forwarded_For would
# be read as X-Forwarded-For by some and not by others. nginx drops such fields of requests, too.
_UNSURE: Final = b"_"


def _special_name(name: bytes) -> bytes:
    """The lower-case name of a special field, b"" for any other."""
    lower = name.lower()
    if lower not in _SPECIAL:
        lower = _UNSURE if _UNSURE in name else b""
    if len(_spellings) < _SPELLINGS_KEPT and len(name) <= _SPELLING_BYTES:
        _spellings[name] = lower
    return lower


def _connection_options(raw_headers: RawHeaders) -> frozenset[bytes]:
    """What all Connection fields say, in lower case."""
    return frozenset(
        option.strip().lower()
        for name, value in raw_headers
        if name.lower() == b"connection"
        for option in value.split(b",")
    )


class Vouched(Enum):
    """Whose credentials go upstream."""

    NOT = "not"  # the upstream's key, else what the client sent
    CLIENT = "client"  # the client showed a key of ours, which stays here: the upstream's key or none
    NOBODY = "nobody"  # it needed to show none: none goes upstream either


class RequestHead:
    """A client's head, read once: what we look at, and the lines to pass on. Not changed behind that."""

    __slots__ = (
        "_credentials_at",
        "_host_at",
        "_length_at",
        "_lines",
        "_struck",
        "_traces_at",
        "_unsure",
        "closes",
        "coding",
        "content_encoded",
        "expects_continue",
        "host",
        "length",
        "origin",
        "request_id",
        "secrets",
        "traceparents",
        "upgrade",
        "user_agent",
    )

    def __init__(self, raw_headers: RawHeaders) -> None:
        self._struck: list[tuple[int, bytes]] = []  # (index, line as kept) of secrets
        self._credentials_at: list[int] = []
        self._traces_at: list[int] = []  # traceparent and tracestate
        self._unsure: list[bytes] = []  # lines that are kept and not passed on
        self.traceparents: list[bytes] = []
        self.secrets: list[bytes] = []  # what the client proved itself with
        self._host_at = self._length_at = -1
        self.host: bytes | None = None
        self.user_agent: bytes | None = None
        self.request_id: bytes | None = None
        self.origin: bytes | None = None  # several joined by blanks, which no Origin has
        self.length: int | None = None
        self.coding: bytes | None = None  # the transfer coding, lower case; several lines joined by commas
        self.content_encoded = self.expects_continue = self.upgrade = False
        self.closes = False  # Connection says so, beside whatever else it says
        lines: list[bytes] = []
        self._lines = lines
        for name, value in raw_headers:
            special = _spellings.get(name)
            if special is None:
                special = _special_name(name)
            if special and not self._note(name, special, value):
                if special == b"connection" and not self._read_connection(value, raw_headers):
                    return
                continue
            lines.append(b"%b: %b\r\n" % (name, value))

    def _read_connection(self, value: bytes, raw_headers: RawHeaders) -> bool:
        """Note what a Connection field says. False: the whole head was read again, without the fields it names."""
        if value in _USUAL_CONNECTION:
            self.closes = self.closes or value == b"close"
            return True
        options = _connection_options(raw_headers)
        named = options - _NOT_NAMED
        if named:
            rest = [field for field in raw_headers if field[0].lower() not in named | {b"connection"}]
            self.__init__(rest)  # type: ignore[misc]
        self.closes = b"close" in options
        return not named

    def kept(self) -> bytes:
        """The lines for the journal, secrets struck out."""
        return b"".join(self._kept_lines())

    def kept_around_length(self) -> tuple[bytes, bytes]:
        """The same, before and behind the value of Content-Length. Only of a head that has one."""
        lines, at = self._kept_lines(), self._length_at
        name = lines[at].partition(b":")[0]
        return b"%b%b: " % (b"".join(lines[:at]), name), b"\r\n" + b"".join(lines[at + 1 :])

    def user_agent_text(self) -> str | None:
        """Who the client says it is, as noted."""
        return None if self.user_agent is None else self.user_agent.decode("utf-8", "replace")[:512]

    def _kept_lines(self) -> list[bytes]:
        if not self._struck and not self._unsure:
            return self._lines
        lines = self._lines.copy()
        for index, line in self._struck:
            lines[index] = line
        return lines + self._unsure

    @property
    def credentials_twice(self) -> bool:
        """Whether one field with credentials is there more than once, so that servers differ in which one counts."""
        if len(self._credentials_at) < 2:
            return False
        names = [self._lines[at].partition(b":")[0].lower() for at in self._credentials_at]
        return len(set(names)) < len(names)

    def to_upstream(
        self,
        method: bytes,
        target: bytes,
        *,
        host_line: bytes,
        key_line: bytes,
        framing: bytes,
        trace_line: bytes = b"",
        keep_tracestate: bool = True,
        vouched: Vouched = Vouched.NOT,
    ) -> bytes:
        """The head as sent upstream. The lines are whole or empty; a key line replaces the client's credentials, a
        trace line its traceparent. keep_tracestate: False where the client's traceparent was not gone on from."""
        lines = self._lines.copy()
        if trace_line:
            for index in self._traces_at:
                if not keep_tracestate or lines[index][:11].lower() == b"traceparent":
                    lines[index] = b""
            lines.append(trace_line)
        if key_line or vouched is not Vouched.NOT:
            for index in self._credentials_at:
                lines[index] = b""
            if vouched is not Vouched.NOBODY:
                lines.append(key_line)
        if self._length_at >= 0:
            lines[self._length_at] = framing
        elif framing:
            lines.append(framing)
        if self._host_at >= 0:
            lines[self._host_at] = host_line
        else:
            lines.insert(0, host_line)
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, b"".join(lines))

    def _note(self, name: bytes, special: bytes, value: bytes) -> bool:
        """Remember what a special field says. True when it is passed on."""
        at = len(self._lines)  # the usual ones first
        if special == b"host":
            if self._host_at >= 0:
                return False
            self._host_at, self.host = at, value
            return True
        if special == b"content-length":
            if self._length_at >= 0:
                return False
            self._length_at = at
            self.length = int(value)  # the parser took it for a number
            return True
        if special == b"content-type":
            return True
        if special == b"user-agent":
            self.user_agent = value
            return True
        if special in HOP_BY_HOP:
            if special == b"transfer-encoding":
                coding = value.strip().lower()
                self.coding = coding if self.coding is None else b"%b, %b" % (self.coding, coding)
            # h2c may be ignored (RFC 9110 section 7.8), and Java's client offers it with every call.
            self.upgrade = self.upgrade or (special == b"upgrade" and value.strip().lower() != b"h2c")
            return False
        if special in SECRET:
            self._struck.append((at, b"%b: %b\r\n" % (name, STRUCK)))
        if special in CREDENTIALS:
            self._credentials_at.append(at)
            self.secrets.append(value.rpartition(b" ")[2])
            return True
        return self._note_rare(name, special, value)

    def _note_rare(self, name: bytes, special: bytes, value: bytes) -> bool:
        """The rest of `_note`."""
        if special == _UNSURE:
            if name.lower().replace(b"_", b"-") in SECRET:
                value = STRUCK
            self._unsure.append(b"%b: %b\r\n" % (name, value))
            return False
        if special == b"expect":
            self.expects_continue = value.strip().lower() == b"100-continue"
            return False
        if special == b"x-request-id":
            self.request_id = value
        elif special == b"traceparent":
            self._traces_at.append(len(self._lines))
            self.traceparents.append(value)
        elif special == b"tracestate":
            self._traces_at.append(len(self._lines))
        elif special == b"origin":
            self.origin = value if self.origin is None else b"%b %b" % (self.origin, value)
        elif special == b"content-encoding":
            self.content_encoded = value.strip().lower() not in (b"", b"identity")
        return True


_USUAL_CONNECTION: Final = frozenset({b"keep-alive", b"Keep-Alive", b"close"})


class AnswerHead:
    """An upstream's head, read once: the lines for the client with our framing, and what we look at."""

    __slots__ = (
        "_event_stream",
        "_framing_at",
        "_json",
        "_lines",
        "_struck",
        "chunked_in",
        "coding",
        "framing",
        "from_litellm",
        "http_1_0_in",
        "length",
        "request_id",
    )

    def __init__(
        self, status: int, reason: bytes, headers: RawHeaders, *, http_1_0: bool, no_body: bool, http_1_0_in: bool
    ) -> None:
        """Raises ValueError on a head that could be read in two ways.

        `http_1_0`, `http_1_0_in`: the client or the upstream speaks that. `no_body`: HEAD was asked; 204 and 304 have
        none either way.
        """
        self.http_1_0_in = http_1_0_in
        self.length: int | None = None
        self.chunked_in = False
        self.request_id: bytes | None = None
        self.from_litellm = self._event_stream = self._json = False
        self.coding: bytes | None = None  # of the content, lower case; several lines joined by commas
        self._framing_at = -1
        self._struck: list[tuple[int, bytes]] = []
        lines = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
        self._lines = lines
        named: frozenset[bytes] = frozenset()
        for name, value in headers:
            special = _spellings.get(name)
            if special is None:
                special = _special_name(name)
            if special and not self._note(name, special, value):
                if special == b"connection" and value not in _USUAL_CONNECTION:
                    named = _connection_options(headers) - _NOT_NAMED
                continue
            lines.append(b"%b: %b\r\n" % (name, value))
        if named:
            self._drop(named)
        if status == 204 and self._framing_at >= 0:
            self._lines[self._framing_at] = b""  # RFC 9110 section 8.6: it has no length
        self.framing: Framing = self._choose(http_1_0=http_1_0, no_body=no_body or status in _NO_BODY)

    @property
    def readable_events(self) -> bool:
        """Whether the body may hold events that we can read as it passes: SDKs take them under any type but JSON's."""
        return not (self._json or self.encoded)

    @property
    def sealed_events(self) -> bool:
        """Whether the body is an event stream that is compressed: nothing can be taken out of it."""
        return self._event_stream and self.encoded

    @property
    def encoded(self) -> bool:
        """Whether the body is compressed, in whichever way."""
        return self.coding not in (None, b"", b"identity")

    @property
    def until_close(self) -> bool:
        """Whether only the upstream's closing tells the end of the body."""
        return not self.chunked_in and self.length is None and self.framing != "none"

    def plain_lines(self) -> list[bytes] | None:
        """First line and lines of an answer that passes as it came, with its length; None of any other."""
        usual = self.framing == "length" and not (self._struck or self.http_1_0_in) and self.request_id is None
        return self._lines if usual and self._lines[0].startswith(b"HTTP/1.1 200 ") else None

    def kept(self) -> bytes:
        """The lines for the journal, secrets struck out."""
        lines = self._lines[1:]
        for index, line in self._struck:
            lines[index - 1] = line
        return b"".join(lines)

    def strike(self, secret: bytes) -> None:
        """Blank a secret of ours wherever an upstream repeats it."""
        if any(secret in line for line in self._lines):
            self._lines[:] = [line.replace(secret, b"*" * len(secret)) for line in self._lines]

    def frame(self, framing: Framing, *, length: int = 0) -> None:
        """Tell the body's end in another way than the upstream did."""
        self.framing = framing
        line = b""
        if framing == "chunked":
            line = b"Transfer-Encoding: chunked\r\n"
        elif framing == "length":
            line = b"Content-Length: %d\r\n" % length
        if self._framing_at >= 0:
            self._lines[self._framing_at] = line
        else:
            self._lines.append(line)

    def to_client(self, request_id: bytes, *, keep_alive: bool, http_1_0: bool) -> bytes:
        """The head as sent to the client. `request_id` is added where the upstream gave none."""
        lines = self._lines
        if self.request_id is None:
            lines.append(b"x-request-id: %b\r\n" % request_id)
        if not keep_alive:
            lines.append(b"Connection: close\r\n")
        elif http_1_0:
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)

    def _note(self, name: bytes, special: bytes, value: bytes) -> bool:
        """Remember what a special field says. True when it is passed on."""
        if special == b"content-length":
            self.length = int(value)  # llhttp took it for a number
            self._framing_at = len(self._lines)
        elif special == b"content-type":
            self._event_stream = value.lower().startswith(b"text/event-stream")
            self._json = b"json" in value.lower()
        elif special == b"transfer-encoding":
            if self.chunked_in or self.http_1_0_in or value.strip().lower() != b"chunked":
                # We asked for no other coding (TE), and llhttp would read such a body in its own way.
                raise ValueError("a transfer coding that we did not ask for")
            self.chunked_in = True
            self._framing_at = len(self._lines)
            self._lines.append(b"")  # its place, for ours
        elif special == b"x-request-id":
            self.request_id = value
        elif special == b"content-encoding":
            coding = value.strip().lower()
            self.coding = coding if self.coding is None else b"%b, %b" % (self.coding, coding)
        elif special == b"x-litellm-call-id":
            self.from_litellm = True
        elif special in SECRET:
            self._struck.append((len(self._lines), b"%b: %b\r\n" % (name, STRUCK)))
        return special not in HOP_BY_HOP  # names with `_` pass: LiteLLM sends such

    def _drop(self, named: frozenset[bytes]) -> None:
        """Blank the lines of fields that Connection named; their places stay."""
        for index, line in enumerate(self._lines):
            if index and line.partition(b":")[0].lower() in named:
                self._lines[index] = b""

    def _choose(self, *, http_1_0: bool, no_body: bool) -> Framing:
        if no_body:
            return "none"
        if self.length is not None:
            return "length"
        if http_1_0:
            return "close"
        self.frame("chunked")
        return "chunked"
