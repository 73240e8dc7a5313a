"""The closed words of `sightglass_errors_total`: upstreams' errors, and the codes of the relay's own answers."""

from __future__ import annotations

from typing import Final, get_args

from proxy.wire.errors import ErrorType

# As relay.faults.ALL, which observers do not import.
_RELAY: Final = (
    "bad_request",
    "bad_target",
    "host_refused",
    "missing_api_key",
    "invalid_api_key",
    "revoked_api_key",
    "several_api_keys",
    "control_unreadable",
    "origin_refused",
    "management_closed",
    "bad_host",
    "credentials_twice",
    "head_too_large",
    "target_too_long",
    "head_timeout",
    "body_timeout",
    "too_many_connections",
    "too_many_connections_of_address",
    "too_many_calls",
    "out_of_memory",
    "request_too_large",
    "not_supported",
    "shutting_down",
    "upstream_connect_failed",
    "upstream_connect_timeout",
    "upstream_closed",
    "upstream_reset",
    "upstream_key_repeated",
    "upstream_malformed",
    "upstream_first_byte_timeout",
    "upstream_between_bytes_timeout",
    "upstream_broke_off",
    "internal_error",
    "client_left",
    "client_stalled",
    "stopped",
)
ERROR_TYPES: Final[tuple[str, ...]] = (*get_args(ErrorType), *_RELAY)
