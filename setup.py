"""Compiles the data path where a C compiler is at hand; everything else is in pyproject.toml.

`LINEMAN_COMPILE=auto` (the default) installs plain Python where compiling fails, `required` fails
then, `no` does not try.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CHOICE = os.environ.get("LINEMAN_COMPILE", "auto")
if CHOICE not in ("auto", "required", "no"):
    raise SystemExit(f"LINEMAN_COMPILE is {CHOICE!r}; give auto, required or no")
SOURCES = Path("src")
COMPILED = (
    "lineman/asgi/answer_lines",
    "lineman/asgi/app_calls",
    "lineman/asgi/http_exchange",
    "lineman/asgi/scopes",
    "lineman/asgi/websocket_exchange",
    "lineman/gateway/holder/held_client",
    "lineman/gateway/business/link_receiver",
    "lineman/gateway/holder/dispatch",
    "lineman/links/link",
    "lineman/links/unconfirmed",
    "lineman/gateway/holder/registry",
    "lineman/gateway/holder/traffic",
    "lineman/gateway/business/gateway_client",
    "lineman/net/datagrams/datagram_output",
    "lineman/net/datagrams/datagram_peer",
    "lineman/net/datagrams/datagram_socket",
    "lineman/net/listening/acceptor",
    "lineman/net/connection/broadcast",
    "lineman/net/connection/callbacks",
    "lineman/net/connection/end_causes",
    "lineman/net/connection/connection",
    "lineman/net/connection/delays",
    "lineman/net/connection/delivery",
    "lineman/net/connection/lifecycle",
    "lineman/net/connection/peer",
    "lineman/net/connection/inbox",
    "lineman/net/connection/incoming",
    "lineman/net/connection/own_settings",
    "lineman/net/connection/pipe_ends",
    "lineman/net/connection/piping",
    "lineman/net/loop/poller",
    "lineman/net/connection/sender",
    "lineman/net/stream/tlsstream",
    "lineman/net/service",
    "lineman/net/stream/stream",
    "lineman/net/stream/stream_output",
    "lineman/net/connection/context",
    "lineman/net/connection/endpoint",
    "lineman/net/connection/counters",
    "lineman/net/loop/turn",
    "lineman/net/connection/unfinished",
    "lineman/net/connection/app_requests",
    "lineman/net/connection/http_stage",
    "lineman/net/connection/plain_requests",
    "lineman/net/loop/delay",
    "lineman/net/loop/wheel",
    "lineman/tls/openssl/ticket_callback",
    "lineman/protocols/proxies/forwarded",
    "lineman/protocols/http/answer_heads",
    "lineman/protocols/http/requests",
    "lineman/protocols/http/responses",
    "lineman/protocols/http/http_session",
    "lineman/protocols/http/http_messages",
    "lineman/protocols/websocket/deflate",
    "lineman/protocols/websocket/close",
    "lineman/protocols/websocket/handshake",
    "lineman/protocols/websocket/fast_handshake",
    "lineman/protocols/websocket/origins",
    "lineman/protocols/codecs/byte_stream",
    "lineman/protocols/codecs/codec_session",
    "lineman/protocols/codecs/frame_session",
    "lineman/protocols/codecs/tcp_session",
    "lineman/protocols/codecs/text_session",
    "lineman/protocols/interface",
    "lineman/protocols/websocket/assembly",
    "lineman/protocols/websocket/decoder",
    "lineman/protocols/websocket/session",
    "lineman/protocols/websocket/opening_session",
)
# What Cython would write into each of them (memoryviews, most of all) stands here once.
SHARED = "lineman._cyutility"

DIRECTIVES = {
    "annotation_typing": False,  # the types are in the .pxd files
    "auto_pickle": False,
    "language_level": 3,
}


def flags() -> tuple[list[str], list[str]]:
    """What the C compiler and the linker are told; who sets CFLAGS has the last word."""
    given = os.environ.get("CFLAGS", "")
    # Python's own flags come first, and often ask for debug information: half of the time that
    # compiling takes, and three quarters of what it writes.
    has_debug = "-g" in given.split()
    compile_args = [] if has_debug else ["-g0", "-ffunction-sections", "-fdata-sections"]
    if "-O" not in given:
        compile_args.append("-O3")
    link_args = [] if has_debug else ["-Wl,--gc-sections", "-Wl,-s"]
    return compile_args, link_args


def extensions() -> list[Extension]:
    """The extension modules: one for each name in `COMPILED`, and what they share."""
    compile_args, link_args = flags()
    sources = {name.replace("/", "."): f"src/{name}.py" for name in COMPILED}
    sources[SHARED] = f"src/{SHARED.replace('.', '/')}.c"
    return [
        Extension(
            name,
            [path],
            include_dirs=[str(SOURCES)],
            depends=[str(header) for header in SOURCES.glob("lineman/**/*.h")],
            extra_compile_args=compile_args,
            extra_link_args=link_args,
        )
        for name, path in sources.items()
    ]


def translate(modules: list[Extension]) -> None:
    """Has Cython write the C source of each module, in build/cython."""
    from Cython.Build import cythonize

    translated = cythonize(
        modules,
        compiler_directives=DIRECTIVES,
        build_dir="build/cython",
        nthreads=os.cpu_count() or 1,
        shared_utility_qualified_name=SHARED,
    )
    sources = {module.name: module.sources for module in translated}
    for module in modules:
        module.sources = sources[module.name]


class BuildAllOrNone(build_ext):
    """Builds every extension module; none where one fails and plain Python will do.

    Some of them alone would not work: one module's C structures are the next one's.
    """

    def run(self) -> None:
        """Builds all, after removing what an earlier build has left."""
        self.remove_built()
        try:
            super().run()
        except Exception as error:
            if CHOICE == "required":
                raise
            self.warn(f"compiling failed, plain Python is installed: {error}")
            self.remove_built()
            self.extensions[:] = []

    def build_extensions(self) -> None:
        """Translates and compiles; Cython is spared the work where not even one line compiles."""
        with TemporaryDirectory() as name:
            source = Path(name, "header.c")
            source.write_text("#include <Python.h>\n")
            self.compiler.compile([str(source)], output_dir=name)
        translate(self.extensions)
        super().build_extensions()

    def remove_built(self) -> None:
        """Removes extension modules; a failed build must not leave any, nor pack old ones."""
        leftovers = [*Path("build").glob("lib*/lineman/**/*.so")]
        leftovers += Path(self.build_lib).glob("lineman/**/*.so")
        if self.inplace or "editable_wheel" in sys.argv:
            leftovers += SOURCES.glob("lineman/**/*.so")
        for built in leftovers:
            built.unlink(missing_ok=True)


setup(
    ext_modules=extensions() if CHOICE != "no" else [],
    cmdclass={"build_ext": BuildAllOrNone},
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
