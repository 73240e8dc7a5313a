"""Which upstream takes a call: the first whose patterns match its model, else the default."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate

from proxy.core.upstreams import ResolvedUpstream


class Routing:
    """Chooses by model name."""

    def __init__(self, upstreams: Sequence[ResolvedUpstream]) -> None:
        """`upstreams` in order; the last one is the default."""
        self.default = upstreams[-1]
        self._patterns = [
            (re.compile("|".join(translate(pattern) for pattern in upstream.models)), upstream)
            for upstream in upstreams
            if upstream.models
        ]
        self.by_model = bool(self._patterns)  # whether the model matters at all

    def upstream_for(self, model: str | None) -> ResolvedUpstream:
        """The upstream that takes a call for this model; None: the call names none."""
        if model is not None:
            for pattern, upstream in self._patterns:
                if pattern.match(model):
                    return upstream
        return self.default
