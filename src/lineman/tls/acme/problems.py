"""Explains an authority's refusal, and what to do about it. Pure.

Source: RFC 8555, section 6.7; https://letsencrypt.org/docs/rate-limits/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

_PREFIX = "urn:ietf:params:acme:error:"

_RETRY_AFTER_TEXT = re.compile(r"retry after (\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)")

# Some authorities call a connection that failed `unauthorized`.
_UNREACHED = re.compile(r"failed to connect|connection refused|timeout during connect", re.I)

# What authorities say if the account itself is closed (RFC 8555, sections 7.1.2 and 7.3.6). The
# type is `unauthorized`, as for a challenge; the text of a page that a challenge has found comes
# later in the sentence.
_SHUT_ACCOUNT = re.compile(
    r"(?:the |an |your )?account\b.{0,80}\b(?:deactivated|revoked|disabled|suspended|not valid)",
    re.I,
)

# What Let's Encrypt says about each of its limits, the limit in words, and the fix. The first that
# is found in the text counts.
_LIMITS = (
    (
        r"certificates .*already issued for this exact set",
        "the same certificate was issued too often (5 in 7 days at Let's Encrypt)",
        "keep the state directory between starts (it holds the certificate), and test with the "
        "staging authority",
    ),
    (
        r"certificates .*already issued for",
        "too many certificates were issued for this domain (50 in 7 days at Let's Encrypt)",
        "put several names into one certificate, or wait",
    ),
    (
        r"failed authorizations",
        "the domain could not be validated too often (5 times an hour at Let's Encrypt)",
        "mend the causes in the earlier errors, and test with the staging authority first",
    ),
    (
        r"temporarily prevented from requesting|unpause|paused",
        "the authority has paused this name after very many failed validations in a row",
        "follow the link in its text to unpause it, after you have mended the cause",
    ),
    (
        r"registrations|accounts",
        "too many accounts were made from this address (10 in 3 hours at Let's Encrypt)",
        "keep the state directory between starts: it holds the account",
    ),
    (
        r"new orders|orders",
        "too many certificates were asked for (300 in 3 hours at Let's Encrypt)",
        "wait; check that no process asks in a loop",
    ),
)

# Fixes by the error's type (RFC 8555, section 6.7); {name} is the domain that it is about.
_FIXES = {
    "account": "if that was on purpose or cannot be undone, remove account.key and account.json "
    "of this authority from the state directory (acme_directory_path): the next attempt makes a "
    "new account",
    "accountDoesNotExist": "wait: the next attempt makes a new account",
    "badCSR": "see the text; the authority may refuse the spelling of a name",
    "badSignatureAlgorithm": "give another authority; this authority accepts no ECDSA account key",
    "caa": "allow the authority in a CAA record of {name}: dig CAA {name}",
    "connection": "let the internet reach this machine (port 443 for tls-alpn-01, 80 for http-01): "
    "open the firewall and the cloud's security group, and check that each A and AAAA record of "
    "{name} points here",
    "dns": "give {name} an A or AAAA record that points to this machine: dig A {name}",
    "externalAccountRequired": "give the key that the authority has given you: "
    'acme=AcmeOptions(..., eab_key_id="...", eab_hmac_key="...")',
    "incorrectResponse": "check that {name} points to this machine, and that nothing in front "
    "of it (a proxy, a CDN, another web server) answers for it",
    "invalidContact": 'give an e-mail address that exists: acme="you@example.com"',
    "invalidEmail": 'give an e-mail address that exists: acme="you@example.com"',
    "malformed": "report it with the output of lineman --version",
    "rejectedIdentifier": "ask for names of the public DNS that the authority may certify",
    "serverInternal": "wait: it is an error of the authority, and the worker tries again",
    "tls": "check that port 443 of {name} leads to this worker, and that no proxy or CDN in front "
    "ends TLS; or use http-01",
    "unauthorized": "check that {name} points to this machine, and that nothing in front "
    "of it (a proxy, a CDN, another web server) answers for it",
    "unsupportedContact": 'give an e-mail address: acme="you@example.com"',
    "unsupportedIdentifier": "ask for names of the public DNS that the authority may certify",
    "userActionRequired": "visit the page that the text names, and agree to the new terms",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no certificate, in words.

    Attributes:
        seen: what happened.
        fix: what to do about it.
        retry_at: the earliest time of the next request; None for the usual back-off.
    """

    seen: str
    fix: str
    retry_at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.seen}; fix: {self.fix}"


def explain(
    problem: Mapping[str, Any], *, name: str = "", retry_at: datetime | None = None
) -> Problem:
    """Explains a problem document.

    Args:
        problem: the document (RFC 7807) of an error or of a challenge.
        name: the domain that it is about, if that is known.
        retry_at: the time in its `Retry-After` header.
    """
    code = str(problem.get("type") or "").removeprefix(_PREFIX)
    detail = _text(problem)
    whom = name or "the domain"
    if code == "rateLimited":
        return _limited(detail, retry_at)
    about = f"{name}: " if name else ""
    kind = "connection" if _UNREACHED.search(detail) else code
    if code == "unauthorized" and _SHUT_ACCOUNT.match(detail):
        # For any request: the account is the cause, and no name.
        kind, about = "account", "the account at the authority is closed: "
    fix = _FIXES.get(kind, "see the text, and the authority's status page")
    seen = f"{about}{detail} ({code or 'no type'})"
    return Problem(seen, fix.format(name=whom), retry_at)


def _text(problem: Mapping[str, Any]) -> str:
    """The authority's text on one line, with its text for each name."""
    texts = [str(problem.get("detail") or problem.get("title") or "no reason is given")]
    for part in problem.get("subproblems") or ():
        if isinstance(part, Mapping):
            identifier = part.get("identifier")
            which = identifier.get("value") if isinstance(identifier, Mapping) else None
            texts.append(f"{which or 'a name'}: {part.get('detail')}")
    return " / ".join(" ".join(text.split()) for text in texts)[:1000]


def _limited(detail: str, retry_at: datetime | None) -> Problem:
    named = _RETRY_AFTER_TEXT.search(detail)
    if named is not None:
        told = datetime.fromisoformat(named[1]).replace(tzinfo=UTC)
        retry_at = max(told, retry_at) if retry_at is not None else told
    limit, fix = "too many requests", "wait"
    for pattern, words, way_out in _LIMITS:
        if re.search(pattern, detail, re.IGNORECASE):
            limit, fix = words, way_out
            break
    until = f"; it accepts no more before {retry_at:%Y-%m-%d %H:%M} UTC" if retry_at else ""
    return Problem(f"the authority's rate limit: {limit}{until} (it says: {detail})", fix, retry_at)


def retry_moment(header: str | None, now: datetime) -> datetime | None:
    """The time that a `Retry-After` header means; None if it is absent or invalid.

    Source: RFC 9110, section 10.2.3
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        seconds = int(header) if len(header) < 9 else 10**8
        return now + timedelta(seconds=seconds)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
