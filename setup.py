"""Compiles the data path where a C compiler is at hand; everything else is in pyproject.toml.

`LINEMAN_COMPILE=auto` (the default) installs plain Python where compiling fails, `required` fails
then, `no` does not try.
"""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

SOURCES = Path("src")
COMPILED = (
    "lineman/gateway/client",
    "lineman/gateway/desk",
    "lineman/gateway/dispatch",
    "lineman/gateway/link",
    "lineman/gateway/registry",
    "lineman/gateway/traffic",
    "lineman/gateway/visitor",
    "lineman/net/acceptor",
    "lineman/net/backpressure",
    "lineman/net/broadcast",
    "lineman/net/callbacks",
    "lineman/net/causes",
    "lineman/net/connection",
    "lineman/net/delivery",
    "lineman/net/lifecycle",
    "lineman/net/poller",
    "lineman/net/tlsstream",
    "lineman/net/service",
    "lineman/net/syscalls",
    "lineman/net/tally",
    "lineman/net/transport",
    "lineman/net/unfinished",
    "lineman/net/upgrade",
    "lineman/net/wheel",
    "lineman/tls/ticketcall",
    "lineman/protocols/forwarded",
    "lineman/protocols/http",
    "lineman/protocols/http_messages",
    "lineman/protocols/websocket/deflate",
    "lineman/protocols/websocket/close",
    "lineman/protocols/websocket/handshake",
    "lineman/protocols/websocket/opening",
    "lineman/protocols/websocket/origins",
    "lineman/protocols/websocket/assembly",
    "lineman/protocols/websocket/messages",
)


def extensions(choice: str) -> list[Extension]:
    """The extension modules to build; none where plain Python was asked for."""
    # A failed build must not leave an older one in place, nor pack it into a wheel.
    leftovers = [*Path("build").glob("lib*/lineman/**/*.so")]
    if "--inplace" in sys.argv or "editable_wheel" in sys.argv:
        leftovers += SOURCES.glob("lineman/**/*.so")
    for built in leftovers:
        built.unlink()
    if choice == "no":
        return []
    from Cython.Build import cythonize

    # Python's own flags may say less, and these come last; who sets another level means it.
    optimize = [] if "-O" in os.environ.get("CFLAGS", "") else ["-O3"]
    wanted = [
        Extension(name.replace("/", "."), [f"src/{name}.py"], extra_compile_args=optimize)
        for name in COMPILED
    ]
    directives = {
        "annotation_typing": False,  # the types are in the .pxd files
        "language_level": 3,
    }
    built = cythonize(
        wanted,
        compiler_directives=directives,
        build_dir="build/cython",
        nthreads=os.cpu_count() or 1,
    )
    for extension in built:
        extension.optional = choice == "auto"  # cythonize() drops it
    return built


choice = os.environ.get("LINEMAN_COMPILE", "auto")
if choice not in ("auto", "required", "no"):
    raise SystemExit(f"LINEMAN_COMPILE is {choice!r}; give auto, required or no")
# The metadata is asked for several times before anything is built.
is_building = bool({"bdist_wheel", "build", "build_ext", "editable_wheel"} & set(sys.argv))
setup(
    ext_modules=extensions(choice) if is_building else [],
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
