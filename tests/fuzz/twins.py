"""The codec twice in one process: the installed one, and its sources as plain Python."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import lineman

PACKAGE = Path(lineman.__file__).parent
NAMES = {
    "messages": "lineman.protocols.websocket.decoder",
    "deflate": "lineman.protocols.websocket.deflate",
    "negotiation": "lineman.protocols.websocket.negotiation",
    "handshake": "lineman.protocols.websocket.handshake",
    "origins": "lineman.protocols.websocket.origins",
    "http": "lineman.protocols.http.requests",
    "forwarded": "lineman.protocols.proxies.forwarded",
    "byte_stream": "lineman.protocols.codecs.byte_stream",
    "text": "lineman.protocols.codecs.text_session",
    "frame": "lineman.protocols.codecs.frame_session",
    "tcp": "lineman.protocols.codecs.tcp_session",
    "own": "lineman.protocols.codecs.codec_session",
    "ready": "lineman.protocols.codecs.ready_made",
    "events": "lineman.protocols.events",
    "errors": "lineman.errors",
    "context": "lineman.net.connection.context",
    "callbacks": "lineman.net.connection.callbacks",
    "limits": "lineman.net.connection.limits",
    "datagrams": "lineman.net.datagrams.datagram_socket",
}


@dataclass(frozen=True)
class Codec:
    """The modules of one of the two."""

    messages: ModuleType
    deflate: ModuleType
    negotiation: ModuleType
    handshake: ModuleType
    origins: ModuleType
    http: ModuleType
    forwarded: ModuleType
    byte_stream: ModuleType
    text: ModuleType
    frame: ModuleType
    tcp: ModuleType
    own: ModuleType
    ready: ModuleType
    events: ModuleType
    errors: ModuleType
    context: ModuleType
    callbacks: ModuleType
    limits: ModuleType
    datagrams: ModuleType

    @property
    def is_compiled(self) -> bool:
        """Whether its decoder is an extension module."""
        return not str(self.messages.__file__).endswith(".py")


class _SourcesOnly:
    """Finds the package's modules as sources, even if there is an extension module beside them."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] != "lineman":
            return None
        place = PACKAGE.joinpath(*name.split(".")[1:])
        if place.is_dir():
            return importlib.util.spec_from_file_location(
                name, place / "__init__.py", submodule_search_locations=[str(place)]
            )
        return importlib.util.spec_from_file_location(name, place.with_suffix(".py"))


@contextmanager
def _forgotten() -> Iterator[None]:
    """Removes the package from the imported modules; restores them afterwards."""
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_ours(name)}
    sys.meta_path.insert(0, _SourcesOnly)  # type: ignore[arg-type]
    try:
        yield
    finally:
        sys.meta_path.remove(_SourcesOnly)  # type: ignore[arg-type]
        for name in [name for name in sys.modules if _is_ours(name)]:
            del sys.modules[name]
        sys.modules.update(kept)


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == "lineman"


def _load() -> Codec:
    return Codec(**{short: importlib.import_module(name) for short, name in NAMES.items()})


def load() -> tuple[Codec, Codec]:
    """The codec as it is installed, and the plain one."""
    built = _load()
    with _forgotten():
        plain = _load()
    assert not plain.is_compiled
    assert plain.messages is not built.messages
    return built, plain
