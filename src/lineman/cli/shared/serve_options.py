"""The options of `lineman serve`, with uvicorn's names, and the worker that they describe; pure."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from lineman.errors import ConfigError

# What `*` means among the addresses that may forward: this machine and private networks. A client
# from elsewhere could otherwise name any address as its own.
PRIVATE = (
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
    "169.254.0.0/16", "fc00::/7", "fe80::/10",
)  # fmt: skip
PRIVATE_WORDS = (
    "--forwarded-allow-ips '*' means loopback and private addresses here: a client from elsewhere "
    "cannot choose its address; name other proxies, as --forwarded-allow-ips 203.0.113.7"
)

# Options with a value, and the option of the worker that gets it.
_VALUES: dict[str, tuple[str, type, str]] = {
    "--workers": ("count", int, "processes (also $WEB_CONCURRENCY)"),
    "--root-path": ("root_path", str, "where a proxy in front mounts the application"),
    "--lifespan": ("lifespan", str, "auto, on or off"),
    "--limit-concurrency": ("max_connections", int, "connections at once in a process"),
    "--limit-max-requests": ("max_requests", int, "requests after which a process is replaced"),
    "--backlog": ("backlog", int, "connections that wait to be accepted"),
    "--timeout-keep-alive": ("keep_alive_timeout", float, "seconds between requests"),
    "--timeout-graceful-shutdown": ("stop_timeout", float, "seconds for calls at a stop"),
    "--ws-max-size": ("max_message_size", int, "bytes of a websocket's message"),
    "--ws-ping-interval": ("ping_interval", float, "seconds of silence before a ping"),
    "--ws-ping-timeout": ("ping_timeout", float, "seconds for its answer"),
    "--h11-max-incomplete-event-size": ("max_head_size", int, "bytes of a request's head"),
    "--ssl-keyfile": ("key", str, "the key of the certificate"),
    "--ssl-certfile": ("cert", str, "the certificate"),
    "--ssl-keyfile-password": ("passphrase", str, "the passphrase of the key"),
    "--ssl-ca-certs": ("ca_file", str, "authorities of clients' certificates"),
    "--ssl-cert-reqs": (
        "verify_client",
        int,
        "clients show one: 0 no, 1 optional, 2 required",
    ),
    "--tls": ("tls", str, "dev: a certificate of this machine's own"),
    "--acme": ("acme", str, "gets a certificate from Let's Encrypt: your e-mail address"),
}
# What `--ssl-cert-reqs` means, by Python's numbers (`ssl.VerifyMode`).
_CERT_REQS = {0: "none", 1: "optional", 2: "required"}
# Other options, and what they set.
_ALSO_SET = {
    "host": "address", "port": "address", "uds": "address", "domain": "domains",
    "origins": "origins", "ws_per_message_deflate": "compression",
    "proxy_headers": "trusted_proxies", "forwarded_allow_ips": "trusted_proxies",
    "metrics": "metrics", "log_level": "log_level",
}  # fmt: skip
# Options of uvicorn that change nothing here, with the number of their values.
_IGNORED = {
    "--loop": 1, "--http": 1, "--ws": 1, "--ws-max-queue": 1, "--reload-dir": 1, "--log-config": 1,
    "--access-log": 0, "--no-access-log": 0, "--use-colors": 0, "--no-use-colors": 0,
    "--server-header": 0, "--no-server-header": 0, "--date-header": 0,
}  # fmt: skip


def add_to(made: argparse.ArgumentParser) -> None:
    """Adds the options that say what is served, and where."""
    made.add_argument("app", metavar="MODULE:APP", help="the application, such as main:app")
    made.add_argument("--host", default=_given("HOST", "127.0.0.1"), help="(127.0.0.1)")
    made.add_argument("--port", type=_reader(int), default=_given("PORT", 8000), help="(8000)")
    made.add_argument("--uds", metavar="PATH", default=_given("UDS"), help="a unix socket")
    made.add_argument("--fd", type=_reader(int), default=_given("FD"), help="a listening socket")
    for name, (_, kind, text) in _VALUES.items():
        default = _given(_variable(name))
        if name == "--workers" and default is None:
            default = _from_environment("WEB_CONCURRENCY")
        made.add_argument(name, type=_reader(kind), default=default, help=text)
    made.add_argument(
        "--keep-clients",
        action="store_true",
        help="websockets stay connected over a reload: other processes keep them",
    )
    made.add_argument("--domain", action="append", default=[], help="a name for --acme")
    made.add_argument("--origins", action="append", help="pages that may open websockets")
    made.add_argument(
        "--proxy-headers",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether proxies are believed about the client",
    )
    made.add_argument(
        "--forwarded-allow-ips",
        default=os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1"),
        help="which proxies, with commas (also $FORWARDED_ALLOW_IPS); * for private addresses",
    )
    made.add_argument("--ws-per-message-deflate", default="true", metavar="BOOL")
    made.add_argument("--interface", choices=("auto", "asgi3", "wsgi"), default="auto")
    made.add_argument("--factory", action="store_true", help="APP is called to make it")
    made.add_argument("--app-dir", metavar="PATH", default="", help="where modules are found (.)")
    made.add_argument("--env-file", metavar="FILE", help="variables for the application")
    made.add_argument("--metrics", metavar="ADDRESS", help="serves metrics, as 127.0.0.1:9100")
    made.add_argument("--log-level", default=_given("LOG_LEVEL"), help="debug, info, warning, …")
    for name, count in _IGNORED.items():
        action: dict[str, Any] = {"action": "append_const", "const": name}
        if count:
            action = {"action": "append", "type": lambda _, name=name: name}
        made.add_argument(name, dest="ignored", help=argparse.SUPPRESS, **action)


def _variable(name: str) -> str:
    return name[2:].upper().replace("-", "_")


class _Text(str):
    """The text of a variable of the environment.

    Attributes:
        variable: its name.
    """

    variable = ""


def _from_environment(variable: str, default: Any = None) -> Any:
    text = os.environ.get(variable)
    if not text:
        return default
    found = _Text(text)
    found.variable = variable
    return found


def _given(name: str, default: Any = None) -> Any:
    return _from_environment(f"UVICORN_{name}", default)


def _reader(kind: type) -> Callable[[str], Any]:
    """Reads the text of an option; an error says which variable it came from."""

    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            seen = f"${text.variable} is {str(text)!r}" if isinstance(text, _Text) else repr(text)
            wanted = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{seen}; give {wanted}") from None

    return read


class _Bare(argparse.ArgumentParser):
    """Finds what stands in the words alone: no option has a default."""

    def add_argument(self, *names: Any, **about: Any) -> argparse.Action:
        """See `argparse.ArgumentParser`."""
        return super().add_argument(*names, **{**about, "default": argparse.SUPPRESS})


def named(words: Sequence[str]) -> frozenset[str]:
    """The options that a command line names itself, as attributes of the parsed options."""
    made = _Bare(add_help=False)
    add_to(made)
    return frozenset(vars(made.parse_known_args(words)[0]))


def settled(words: Sequence[str]) -> frozenset[str]:
    """The options of the worker, and of the program, that a command line has set."""
    options = {_variable(name).lower(): option for name, (option, _, _) in _VALUES.items()}
    found = {(options | _ALSO_SET).get(name, "") for name in named(words)} - {""}
    return frozenset(found | ({"workers"} if "count" in found else set()))


def worker_options(options: argparse.Namespace) -> dict[str, Any]:
    """The options of the worker that serves the application, without the application.

    Raises:
        ConfigError: options that contradict each other.
    """
    from lineman.config.options import WorkerOptions  # no other command needs it

    kinds: dict[str, Any] = {each.name: each.metadata.get("kind") for each in fields(WorkerOptions)}
    found: dict[str, Any] = {"max_message_size": 16 * 1024 * 1024}  # as uvicorn has it
    for name, (option, _, _) in _VALUES.items():
        value = getattr(options, _variable(name).lower())
        if value is not None:
            if option != "verify_client":  # it has other values there
                kinds[option].check(name, value)
            found[option] = value
    if "ca_file" in found or "verify_client" in found:
        found["verify_client"] = _verify_client(found.get("verify_client", 0))
    if options.domain:
        found["domains"] = options.domain
    if options.origins is not None:
        found["origins"] = [each for text in options.origins for each in _split(text)]
    if options.ws_per_message_deflate.lower() in ("false", "0", "no"):
        found["compression"] = False
    if options.proxy_headers:
        found["trusted_proxies"] = trusted(options.forwarded_allow_ips)
        if options.uds:
            found["trusted_proxies"].append("unix")
    found["address"] = _address(options, found)
    return found


def _verify_client(given: int) -> str:
    if given not in _CERT_REQS:
        raise ConfigError(f"--ssl-cert-reqs is {given}", "give 0, 1 or 2: none, optional, required")
    return _CERT_REQS[given]


def gateway_options(options: argparse.Namespace) -> dict[str, Any]:
    """The options of the `Gateway` that serves it with `--keep-clients`, without the application.

    Raises:
        ConfigError: options that contradict each other.
    """
    found = worker_options(options)
    if "max_requests" in found:
        raise ConfigError(
            "--limit-max-requests is given with --keep-clients: processes that keep clients are "
            "not replaced",
            "leave one of them out",
        )
    if "count" in found:
        found["workers"] = found.pop("count")
    found["address"] = found["address"].replace("http", "ws", 1)
    return found


def _address(options: argparse.Namespace, found: Mapping[str, Any]) -> str:
    is_tls = any(found.get(name) for name in ("cert", "tls", "acme"))
    scheme = "https" if is_tls else "http"
    if options.uds:
        return f"{scheme}+unix://{os.path.abspath(options.uds)}"
    host = f"[{options.host}]" if ":" in options.host else options.host
    if not 0 <= options.port <= 65535:
        raise ConfigError(f"--port is {options.port}", "give a number up to 65535")
    return f"{scheme}://{host}:{options.port}"


def trusted(text: str) -> list[str]:
    """The proxies that are believed, from uvicorn's list."""
    found: list[str] = []
    for each in _split(text):
        found += PRIVATE if each == "*" else [each]
    return list(dict.fromkeys(found))


def notes(options: argparse.Namespace, words: Sequence[str] = ()) -> list[str]:
    """What the log says once, about options that mean something else here, or nothing.

    Args:
        options: the parsed options.
        words: the command line.
    """
    found = []
    if options.uds and named(words) & {"host", "port"}:
        found.append("--uds is given, so --host and --port do nothing")
    if options.proxy_headers and "*" in _split(options.forwarded_allow_ips):
        found.append(PRIVATE_WORDS)
    if options.ignored:
        names = " ".join(dict.fromkeys(options.ignored))
        found.append(f"options of uvicorn that change nothing here: {names}")
    return found


def _split(text: str) -> list[str]:
    return [each for part in text.split(",") if (each := part.strip())]


_QUOTED = re.compile(r"""(['"])(.*)\1\s*(#.*)?""")


def read_variables(text: str) -> dict[str, str]:
    """The variables of an env file.

    Its lines are `NAME=value`, also with `export` before them; a value may stand in quotes, `#`
    begins a comment at the begin of a line and behind a blank.

    Raises:
        ConfigError: a line is something else.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, mark, value = line.removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if not mark or not name or " " in name or "\0" in line:
            # It is not shown, as it may hold a secret.
            raise ConfigError(f"line {number} is no NAME=value", "write NAME=value, or remove it")
        quoted = _QUOTED.fullmatch(value)
        found[name] = quoted[2] if quoted else re.split(r"\s#", value)[0].strip()
    return found
