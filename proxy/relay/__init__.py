"""The data plane: bytes from clients to upstreams and back, looked at, not understood.

Of aiohttp it uses the server. The package's own file would import the client too, which reads all certificates of the
system as it comes: 60 ms of each start and 7 MB. So here `aiohttp` stands for itself without that file, until somebody
asks it for a name that is no module of its own.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from types import ModuleType


class _Parts(ModuleType):
    """A package whose modules can be imported, and whose own file is run when a name is missed."""

    def __getattr__(self, name: str) -> object:
        spec = self.__spec__
        if name.startswith("__") or spec is None or PathFinder.find_spec(f"{spec.name}.{name}", self.__path__):
            raise AttributeError(name)
        self.__class__ = ModuleType  # type: ignore[assignment] # from now on as any other
        assert spec.loader is not None
        spec.loader.exec_module(self)
        return getattr(self, name)


def _stand_for(package: str) -> None:
    spec = PathFinder.find_spec(package)
    if package in sys.modules or spec is None or spec.submodule_search_locations is None:
        return
    module = _Parts(package)
    module.__spec__, module.__file__ = spec, spec.origin
    module.__path__ = list(spec.submodule_search_locations)
    vars(module)["__version__"] = ""  # its modules ask for it; all that they do with it is to say it
    sys.modules[package] = module


_stand_for("aiohttp")
