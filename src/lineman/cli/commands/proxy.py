"""`lineman proxy`: the configuration of the web server in front, printed and checked.

Exit status: 0 when it was printed, 1 when it cannot work or the web server refuses it, 2 for
invalid options.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from lineman.base import address as addresses
from lineman.base.program_words import is_application
from lineman.cli.shared import program_survey, served_program
from lineman.cli.shared.surveying import neighbour
from lineman.errors import ConfigError, UsageError
from lineman.process.master.survey import Surveyed, SurveyedAddress
from lineman.tls.development import devca
from lineman.webservers import PROGRAMS, Site, Upstream, Version, read_upstream
from lineman.webservers import server_version as versions
from lineman.webservers.site import STICKY

EXAMPLES = """\
examples:
  lineman proxy nginx --domain chat.example.com --cert /etc/ssl/wss/fullchain.pem \\
      --key /etc/ssl/wss/privkey.pem > /etc/nginx/conf.d/wss.conf
  lineman proxy apache app.py --domain chat.example.com --cert … --key … --check
  lineman proxy nginx main:app --port 8000 --domain app.example.com --cert … --key …
  lineman proxy caddy --domain chat.example.com --upstream unix:/run/app/app.sock
  lineman proxy haproxy --tcp --domain chat.example.com --upstream 127.0.0.1:8282

With a program (app.py) the workers say where they listen, how often they ping and which
limits they have; the program is read, not started. An application (main:app) takes the options of
`lineman serve` behind it, and gets the whole site.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    made = commands.add_parser(
        "proxy",
        help="print the configuration of nginx, Apache, Caddy or HAProxy for a service",
        description="Prints a complete configuration for the web server in front of a service.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(run=run)
    add = made.add_argument
    add("program", choices=list(PROGRAMS), metavar="SERVER", help=", ".join(PROGRAMS))
    add("app", nargs="?", metavar="APP",
        help=f"your program, app.py or MODULE:APP; {served_program.OPTIONS}")  # fmt: skip
    served_program.take_options(made, "app")
    add("--domain", required=True, help="the name that clients use")
    add("--path", help="path that clients ask for (default: /wss; for MODULE:APP all paths)")
    add("--prefix", action="store_true", help="also forward paths below it")
    add("--upstream", action="append", default=[], metavar="ADDRESS",
        help="a worker: 127.0.0.1:8282 or unix:/run/app.sock (may be repeated)")  # fmt: skip
    program_survey.add_user_to(made)
    add("--worker", metavar="NAME", help="name of the worker, if the program has several")
    add(
        "--cert",
        metavar="FILE",
        help="certificate and chain (PEM); without it Caddy gets one itself",
    )
    add("--key", metavar="FILE", help="its private key (PEM)")
    add("--tcp", action="store_true",
        help="forward TCP with a PROXY header; without --cert TLS passes through")  # fmt: skip
    add("--sticky", choices=STICKY, help="send a client to the same worker again")
    _add_details(made)


def _add_details(made: argparse.ArgumentParser) -> None:
    add = made.add_argument
    add("--no-http2", action="store_true", help="only HTTP/1.1, also for pages")
    add("--listen", action="append", default=[], metavar="IP",
        help="listen on this address (default: all; may be repeated)")  # fmt: skip
    add("--https-port", type=int, default=443, metavar="N", help="(default: 443)")
    add("--http-port", type=int, default=80, metavar="N", help="(default: 80)")
    add("--root", metavar="DIR", help="the web site beside it (default: /var/www/html)")
    add(
        "--clients",
        type=int,
        metavar="N",
        help="number of clients that the limits are set for (default: 4096)",
    )
    add(
        "--ping-interval",
        type=float,
        metavar="SECONDS",
        help="ping_interval of the service (default: 25)",
    )
    add(
        "--ping-timeout",
        type=float,
        metavar="SECONDS",
        help="ping_timeout of the service (default: 20)",
    )
    add(
        "--max-body",
        type=int,
        metavar="BYTES",
        help="largest body of a plain request (default: 10 MiB)",
    )
    add(
        "--target-version",
        metavar="V",
        help="write for this version (default: the installed version)",
    )
    add(
        "--check", action="store_true", help="let the web server check the configuration, on a copy"
    )


def run(options: argparse.Namespace, *, path: str | None = None) -> int:
    """Prints the configuration.

    Args:
        options: the command line.
        path: the directories in which the web server is searched for, as in `PATH`; None for
            `PATH` itself and the directories of servers.

    Returns:
        0 when it was printed; 1 when the web server refuses it.

    Raises:
        UsageError: options are invalid.
        ConfigError: what cannot work, and the fix.
    """
    module = PROGRAMS[options.program]
    site = site_of(options)
    version = _version(module, options.target_version, path)
    text: str = module.render(site, version)
    if options.check and not _is_accepted(module, site, version, path):
        return 1
    print(text, end="")
    return 0


# The site.


def site_of(options: argparse.Namespace) -> Site:
    """The site that the options, and the program if there is one, describe.

    Raises:
        ConfigError: a value that cannot work.
        UsageError: a part is missing.
    """
    found: dict[str, Any] = {"upstreams": (Upstream("127.0.0.1", 8282),)}
    if options.app is not None:
        found = _from_worker(_worker_of(options), options)
    elif options.worker is not None:
        raise UsageError("--worker names a worker of a program; give the program as well")
    given = {
        "root": _absolute(options.root),
        "max_clients": options.clients,
        "ping_interval": options.ping_interval,
        "ping_timeout": options.ping_timeout,
        "max_body": options.max_body,
    }
    found.update({name: value for name, value in given.items() if value is not None})
    if options.upstream:
        found["upstreams"] = tuple(read_upstream(text) for text in options.upstream)
    found.setdefault("is_tcp", options.tcp)
    for name in ("max_clients", "max_body"):
        if found.get(name, 1) < 1:
            raise UsageError(f"--{name.removeprefix('max_')} is {found[name]}; give 1 or more")
    is_whole = options.path is None and is_application(options.app or "")
    return Site(
        options.domain,
        path=options.path or ("/" if is_whole else "/wss"),
        is_prefix=options.prefix or is_whole,
        cert=_absolute(options.cert),
        key=_absolute(options.key),
        sticky=options.sticky,
        has_http2=not options.no_http2,
        https_port=options.https_port,
        http_port=options.http_port,
        listen=tuple(options.listen),
        **found,
    )


def _absolute(file: str | None) -> str | None:
    """The absolute path of a file: the web server starts in another directory."""
    return None if file is None else os.path.abspath(file)


def _worker_of(options: argparse.Namespace) -> Surveyed:
    app, name = options.app, options.worker
    words = served_program.words_for(app, options.rest)
    read = program_survey.read(
        Path(app), options.user, options.group, opens_files=False, words=words
    )
    workers = read.survey.workers
    # Those without an address, such as the business workers of a Gateway, serve no clients.
    reachable = [worker for worker in workers if worker.addresses or worker.fault] or workers
    if name is None and len(reachable) == 1:
        return reachable[0]
    found = next((worker for worker in workers if name == worker.name), None)
    if found is None:
        names = [worker.name for worker in reachable]
        seen = f"has no worker {name!r}" if name else "has several workers"
        raise UsageError(f"{app} {seen}; name one: --worker {' or --worker '.join(names)}")
    return found


def _address_of(worker: Surveyed, is_tcp: bool) -> SurveyedAddress:
    """The address to which the proxy forwards: the first one that fits best."""
    if worker.fault:
        raise ConfigError(worker.fault, worker.fix)
    if not worker.addresses:
        raise ConfigError(
            "the worker has no address", "name a worker that has an address: --worker NAME"
        )

    def fits(each: SurveyedAddress) -> tuple[bool, bool, bool, bool]:
        address = addresses.parse(each.url)
        kind = address.protocol
        has_http = kind in ("ws", "http")
        return kind != "udp", has_http, kind == "ws", is_tcp or not address.is_tls

    chosen = max(worker.addresses, key=fits)
    if addresses.parse(chosen.url).protocol == "udp":
        raise ConfigError(
            f"the worker listens on {chosen.url}, and a web server in front forwards no datagrams",
            "let clients send to the worker itself; or name another worker: --worker NAME",
        )
    address = addresses.parse(chosen.url)
    if address.protocol in addresses.STREAMS:
        port = address.port or 8282
        raise ConfigError(
            f"the worker listens on {address}, and this command writes configurations for HTTP",
            f"forward TCP to it: in nginx stream {{ server {{ listen {port + 1}; proxy_pass "
            f"127.0.0.1:{port}; proxy_protocol on; }} }}, in HAProxy mode tcp with send-proxy-v2; "
            'and in the worker proxy_protocol="required", trusted_proxies=["127.0.0.1/32"]',
        )
    return chosen


def _from_worker(worker: Surveyed, options: argparse.Namespace) -> dict[str, Any]:
    is_tcp = options.tcp or bool(worker.proxy_protocol)
    chosen = _address_of(worker, is_tcp)
    address = addresses.parse(chosen.url)
    is_tls = address.is_tls
    if is_tls and not is_tcp:
        raise ConfigError(
            f"the worker speaks TLS itself ({chosen.url}), and the proxy would do the same",
            f"let the worker listen on {address.protocol}://127.0.0.1:{address.port or 8282}, or "
            'pass TLS through with --tcp and proxy_protocol="required"',
        )
    if is_tls and options.cert:
        raise ConfigError(
            f"the worker speaks TLS itself ({chosen.url}), and with --cert the proxy ends TLS",
            f"leave --cert and --key out, or let the worker listen on {address.protocol}://",
        )
    if is_tcp and not is_tls and not options.cert:
        raise ConfigError(
            f"TLS would pass through to the worker, which does not speak TLS ({chosen.url})",
            "give --cert and --key, so that the proxy ends TLS; or the worker a certificate and "
            f"a {address.over(True).scheme}:// address",
        )
    if not address.path and not address.port and not options.upstream:
        raise ConfigError("the worker's port is chosen when it starts", "give it a port")
    upstream = Upstream(neighbour(address.host), address.port, address.path)
    _warn(worker, chosen, upstream, is_tcp)
    if not options.upstream:
        # Checked like an option, so that a program cannot add a line to the configuration.
        upstream = read_upstream(str(upstream))
    return {
        "upstreams": (upstream,),
        "is_tcp": is_tcp,
        "ping_interval": worker.ping_interval,
        "ping_timeout": worker.ping_timeout,
        "max_body": worker.max_message_size,
    }


def _warn(worker: Surveyed, chosen: SurveyedAddress, upstream: Upstream, is_tcp: bool) -> None:
    """Warns about settings that the program needs behind a proxy and lacks."""
    where = "unix" if upstream.path else upstream.host
    if len(worker.addresses) > 1:
        _note(f"of the worker's {len(worker.addresses)} addresses the proxy gets {chosen.url}")
    if addresses.parse(chosen.url).host in ("0.0.0.0", "::"):
        _note(f"the worker's port {upstream.port} is open to everybody: listen on {where}")
    if not chosen.trusts_neighbour:
        _note(f'the worker does not trust the proxy: set trusted_proxies=["{where}"]')
    if is_tcp and not worker.proxy_protocol:
        _note('the worker does not read PROXY headers: set proxy_protocol="required"')


def _note(words: str) -> None:
    print(f"lineman: note: {words}", file=sys.stderr)


# The installed web servers.

# On Debian, servers lie in directories that are not in the path of ordinary users.
_SERVERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")


def _find(name: str, path: str | None) -> str | None:
    if path is None:
        path = os.pathsep.join([os.environ.get("PATH", ""), *_SERVERS])
    return shutil.which(name, path=path)


def _version(module: ModuleType, target: str | None, path: str | None) -> Version:
    if target is not None:
        return versions.parse(target)
    installed = installed_version(module, path)
    if installed is None:
        usual: Version = module.USUAL
        _note(
            f"{module.TITLE} is not installed here: this is written for {versions.words(usual)}; "
            "for another version use --target-version"
        )
        return usual
    return installed


def installed_version(module: ModuleType, path: str | None = None) -> Version | None:
    """The version of an installed program; None if it is not installed or prints none.

    Args:
        module: of the program.
        path: as for `run`.
    """
    binary = _find(module.BINARY, path)
    if binary is None:
        return None
    command = [binary, module.VERSION_OPTION]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return versions.find(told.stdout + told.stderr)


def _is_accepted(module: ModuleType, site: Site, version: Version, path: str | None) -> bool:
    binary = _find(module.BINARY, path)
    if binary is None:
        raise ConfigError(
            f"--check asks {module.TITLE} itself, and it is not installed here",
            f"apt-get install {module.PACKAGE}, or leave --check out",
        )
    with tempfile.TemporaryDirectory(prefix="lineman-proxy-") as directory:
        copy = _with_files(site, Path(directory))
        modules = _modules(module, binary, site)
        file = Path(directory, "config")
        text = module.standalone(copy, version, directory, modules=modules)
        file.write_text(text, encoding="utf-8")
        command = module.check_command(binary, directory, str(file))
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    words = (told.stderr + told.stdout).strip()
    if told.returncode:
        print(f"{words}\nlineman: {module.TITLE} refuses this configuration", file=sys.stderr)
        return False
    installed = installed_version(module, path)
    its_version = versions.words(installed) if installed else "here"
    _note(f"{module.TITLE} {its_version} accepts this configuration")
    return True


def _with_files(site: Site, directory: Path) -> Site:
    """The site with certificates that can be read: its own, or others made for the check."""
    if site.cert is None:
        return site
    cert, key = Path(site.cert), Path(site.key or site.cert)
    try:
        pair = cert.read_bytes() + (key.read_bytes() if key != cert else b"")
    except OSError as error:
        _note(f"{error.filename} cannot be read here: another certificate was used for the check")
        made = devca.development_certificate(directory / "certificate")
        cert, key = Path(made.cert), Path(made.key)
        pair = cert.read_bytes() + key.read_bytes()
    # For HAProxy. It holds the key: it is deleted with the directory, which is this user's alone.
    (directory / "bundle.pem").write_bytes(pair)
    return replace(site, cert=str(cert), key=str(key))


def _modules(module: ModuleType, binary: str, site: Site) -> tuple[str, ...]:
    """The module that nginx must load for `stream`, if it is a separate module (Debian)."""
    if module.BINARY != "nginx" or not site.is_tcp:
        return ()
    told = subprocess.run([binary, "-V"], capture_output=True, text=True, check=False).stderr
    if "--with-stream=dynamic" not in told:
        return ()
    folder = told.partition("--modules-path=")[2].split(maxsplit=1)[0]
    file = Path(folder, "ngx_stream_module.so")
    if not file.exists():
        raise ConfigError(
            "nginx has no stream module here, which --tcp needs",
            "apt-get install libnginx-mod-stream",
        )
    return (str(file),)
