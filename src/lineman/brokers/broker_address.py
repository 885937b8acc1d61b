"""A broker's address without its password, and the reasons why it is not reached. Pure."""

from __future__ import annotations

import re

from lineman.errors import ConfigError

_HOST = r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_HOSTS = re.compile(f"{_HOST}(?:,{_HOST})*")


def without_login(url: str) -> str:
    """A broker's address as it may be shown: without user, password and options.

    A part that does not look like a host and a port is left out as well: it may be a misplaced
    password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z+]+", scheme):
        word = re.match(r"[A-Za-z+]*:?/*", url)
        start, rest = (word[0], url[word.end() :]) if word is not None else ("", url)
    else:
        start = f"{scheme}://"
    login, at, rest = rest.rpartition("@")
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    if not _HOSTS.fullmatch(host):
        return f"{start}…"
    return f"{start}…@{host}" if at and login else f"{start}{host}"


def joined(url: str) -> str:
    """An address in which each host has a scheme and a login, as one with several hosts.

    `nats://me:secret@a,nats://me:secret@b` is how the libraries of NATS write it; it becomes
    `nats://me:secret@a,b`. Every other address stays as it is.

    Raises:
        ConfigError: the hosts have different logins, or different options.
    """
    scheme, separator, rest = url.partition("://")
    parts = re.split(rf",\s*{re.escape(scheme)}://", rest) if separator else []
    if len(parts) < 2:
        return url
    logins, hosts, ends = set(), [], set()
    for part in parts:
        place = re.split("[/?#]", part, maxsplit=1)[0]
        login, at, host = place.rpartition("@")
        logins.add(login + at)
        hosts.append(host)
        if end := part[len(place) :].rstrip("/"):
            ends.add(end)
    if len(logins) > 1 or len(ends) > 1:
        what = "logins" if len(logins) > 1 else "options"
        raise ConfigError(
            f"the hosts of the broker's address {scheme}://… have different {what}",
            "the servers of one broker have the same ones; give them once, as in "
            f"{scheme}://user:password@host:port,host2:port",
        )
    return f"{scheme}://{logins.pop()}{','.join(hosts)}{ends.pop() if ends else ''}"


def check_login(url: str) -> None:
    """Refuses an address whose password would be read as another part of it.

    Raises:
        ConfigError: the login has a character with a meaning in a URL (RFC 3986, section 2.2) that
            is not percent-encoded; or the port is invalid.
    """
    rest = url.partition("://")[2]
    place = re.split("[/?#]", rest, maxsplit=1)[0]
    path = rest[len(place) :].partition("?")[0]
    hosts = place.rpartition("@")[2]
    is_sound = _HOSTS.fullmatch(hosts) is not None
    # Behind the host, an `@` is allowed only in the value of an option.
    if "@" in path or ("@" in rest[len(place) :] and not is_sound):
        raise ConfigError(
            f"the login in the broker's address {without_login(url)} has a character that ends it "
            "there, such as / ? or #",
            "percent-encode user and password (/ is %2F, ? is %3F, # is %23, @ is %40): "
            "python3 -c 'import getpass, urllib.parse as u; "
            'print(u.quote(getpass.getpass(), safe=""))\'',
        )
    if not is_sound:
        raise ConfigError(
            f"the broker's address {without_login(url)} names no host and port",
            "write it like redis://user:password@host:6379; an IPv6 address stands in brackets",
        )


# Errors of the libraries, their causes and remedies. The first match counts.
_CAUSES = (
    (
        r"no sentinel names a master.*(?:authentication|NOAUTH|WRONGPASS|username-password)",
        "the sentinels refuse the login",
        "give theirs behind the service: ?sentinel_password=… (and sentinel_username=…)",
    ),
    (
        r"no sentinel names a master of '.*': those that answer know none",
        "the sentinels name no master",
        "compare the name behind the slash: redis-cli -p 26379 sentinel masters; a failover that "
        "is under way ends within seconds",
    ),
    (
        r"no sentinel names a master.*(?:ConnectionError|TimeoutError)",
        "no sentinel answers",
        "start them, or correct their hosts and ports (26379) in the address; with TLS they need a "
        "port that speaks it",
    ),
    (
        r"authentication required|NOAUTH",
        "it demands a password",
        "write it into the address: broker=redis://:password@host:6379",
    ),
    (
        r"without any password configured",
        "it has no password, and one is given",
        "leave it out of the address, or set one there (requirepass)",
    ),
    (
        r"invalid username-password|WRONGPASS|invalid password|authorization violation|"
        r"authentication (?:expired|failed)|user authentication",
        "it refuses the login",
        "compare user and password in the address with its own; percent-encode special characters",
    ),
    (
        r"JetStream not enabled|JetStream is not enabled|NoStreamResponse",
        "it has no JetStream, which keeps durable histories",
        "start it with -js and -sd /var/lib/nats, or write jetstream { store_dir: … } into its "
        "configuration; or leave durable=True out of HistoryOptions",
    ),
    (
        r"unknown (?:redis )?command",
        "it lacks a command that durable histories need",
        "Redis 5.0 or newer has streams and scripts that may use them",
    ),
    (
        r"OOM command not allowed|OutOfMemory",
        "its memory is full",
        "raise its maxmemory, or keep less: HistoryOptions(messages=…, seconds=…, max_bytes=…)",
    ),
    (
        r"ACL failure in script|user executing the script can't|"
        r"permissions to run the '(?:eval|evalsha)'",
        "the user may not do what durable histories need",
        "allow it: +eval +evalsha +info +time +del +pexpire +hset +hmget +xadd +xdel +xrange "
        "+xrevrange ~lineman:*",
    ),
    (
        r"no permissions|NOPERM|permissions violation",
        "the user has too few permissions",
        "let it publish and subscribe to this service's channels",
    ),
    (
        r"cluster support disabled",
        "it is no Redis Cluster",
        "write redis:// and not redis+cluster://",
    ),
    (
        r"name or service not known|nodename nor servname|no address associated|\[Errno -[25]\]|"
        r"Error -[25] |temporary failure in name resolution|Error -3 |\[Errno -3\]",
        "the host's name is not known",
        "check it: getent hosts NAME",
    ),
    (
        r"connect(?:ion)? (?:call failed|refused)|Errno 111|Error 111",
        "nothing listens there",
        "start it, or correct host and port; on its machine: ss -ltnp",
    ),
    (
        r"certificate verify failed|hostname mismatch",
        "its certificate is not trusted",
        "give its authority: rediss://…?ssl_ca_certs=ca.pem",
    ),
    (
        r"wrong version number|record layer failure|SSL",
        "TLS with it fails",
        "if it does not speak TLS, write redis:// or nats://",
    ),
    (
        r"timeout|timed out|took nothing|said nothing",
        "it does not answer",
        "is it reachable from here: a firewall, another network? Does the port speak TLS and the "
        "address say no TLS, or the reverse?",
    ),
)


def explain(error: BaseException) -> str:
    """Why a broker is not reached: the cause, what the library said, and the remedy."""
    said = f"{type(error).__name__}: {error}"[:300]
    for pattern, cause, fix in _CAUSES:
        if re.search(pattern, said, re.IGNORECASE):
            return f"{cause} ({said}); fix: {fix}"
    return said
