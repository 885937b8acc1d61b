"""Whether browsers, Java and WeChat's mini-programs would accept a certificate (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from lineman.base.finding import Finding, Level
from lineman.tls.advice.certificate_facts import DEVELOPMENT, CertificateFacts
from lineman.tls.files.certificate_info import date, span
from lineman.tls.files.sni_names import NameTable

# The longest lives that browsers accept from public authorities, by day of issue.
# Source: CA/Browser Forum, ballots SC-31 and SC-081v3
_LONGEST = (
    (datetime(2029, 3, 15, tzinfo=UTC), 47),
    (datetime(2027, 3, 15, tzinfo=UTC), 100),
    (datetime(2026, 3, 15, tzinfo=UTC), 200),
    (datetime(2020, 9, 1, tzinfo=UTC), 398),
)
_LONGEST_OF_ONES_OWN = 825  # Source: https://support.apple.com/en-us/103769
_BROKEN_DIGESTS = ("md5", "sha1")


@dataclass(frozen=True, slots=True)
class Judgement(Finding):
    """The result of one check; ERROR: some client would refuse the certificate.

    Args:
        browser, java, wechat: the error message of each; empty: none.
    """

    browser: str = ""
    java: str = ""
    wechat: str = ""


_NO_HANDSHAKE = "fail: ssl hand shake error"


def judge(facts: CertificateFacts, names: Sequence[str], now: datetime) -> list[Judgement]:
    """All judgements, in the order in which to read them.

    Args:
        facts: of the certificate.
        names: the names that clients connect to; empty: the names in the certificate.
        now: aware.
    """
    found = [
        *_names(facts, names),
        *_dates(facts, now),
        *_key(facts),
        *_chain(facts),
        *_trust(facts),
    ]
    if facts.is_authority and not facts.chain.is_self_signed:
        found.append(
            Judgement(
                Level.ERROR,
                "cert-of-an-authority",
                "the first certificate is an authority's, not a server's",
                "put the server's certificate first",
                "ERR_CERT_INVALID",
                "PKIX path validation failed",
                _NO_HANDSHAKE,
            )
        )
    if not facts.serves:
        found.append(
            Judgement(
                Level.ERROR,
                "cert-not-for-servers",
                "it is not for servers (its extended key usage lacks serverAuth)",
                "ask for a certificate for TLS servers",
                "ERR_CERT_INVALID",
                "Extended key usage does not permit use for TLS server authentication",
                _NO_HANDSHAKE,
            )
        )
    return found


def _names(facts: CertificateFacts, names: Sequence[str]) -> list[Judgement]:
    if not facts.names:
        return [
            Judgement(
                Level.ERROR,
                "cert-without-names",
                "it has no names (subjectAltName); browsers no longer look at the subject",
                "ask for a new one with the names in it",
                "ERR_CERT_COMMON_NAME_INVALID",
                "",  # it falls back to the common name
                _NO_HANDSHAKE,
            )
        ]
    found = [Judgement(Level.OK, "", f"it is for {', '.join(facts.names)}")]
    for name in names:
        if _covers(facts.names, name):
            found.append(Judgement(Level.OK, "", f"{name} is covered"))
        else:
            found.append(
                Judgement(
                    Level.ERROR,
                    "cert-wrong-name",
                    f"it is not for {name}{_why_not(facts.names, name)}",
                    f"ask for a certificate with {name} in it, or connect by another name",
                    "ERR_CERT_COMMON_NAME_INVALID",
                    f"No subject alternative DNS name matching {name} found",
                    _NO_HANDSHAKE,
                )
            )
    wanted = names or facts.names
    if all(_is_address(name) for name in wanted):
        found.append(
            Judgement(
                Level.ERROR,
                "cert-for-addresses",
                "it is for addresses only",
                "use a domain name for mini-programs; for browsers and Java addresses will do",
                wechat="fail: url not in domain list (an address cannot be on it)",
            )
        )
    return found


def _covers(has: Sequence[str], name: str) -> bool:
    if _is_address(name):
        return str(ip_address(name)) in has
    table = NameTable((each.lower(), True) for each in has if not _is_address(each))
    return bool(table.find(name))


def _why_not(has: Sequence[str], name: str) -> str:
    above = name.partition(".")[2]
    for each in has:
        if each.startswith("*.") and name == each[2:]:
            return f": {each} does not cover the name without a label before it"
        if each.startswith("*.") and above.endswith(f".{each[2:]}"):
            return f": {each} covers one label only"
    return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _dates(facts: CertificateFacts, now: datetime) -> list[Judgement]:
    if now > facts.not_after:
        return [
            Judgement(
                Level.ERROR,
                "cert-expired",
                f"it expired on {date(facts.not_after)}, {span(now - facts.not_after)} ago",
                "renew it",
                "ERR_CERT_DATE_INVALID",
                "CertificateExpiredException: NotAfter",
                _NO_HANDSHAKE,
            )
        ]
    if now < facts.not_before:
        return [
            Judgement(
                Level.ERROR,
                "cert-not-yet-valid",
                f"it is valid only from {date(facts.not_before)}, in "
                f"{span(facts.not_before - now)}",
                "look at this machine's clock (timedatectl), or wait",
                "ERR_CERT_DATE_INVALID",
                "CertificateNotYetValidException: NotBefore",
                _NO_HANDSHAKE,
            )
        ]
    left = facts.not_after - now
    text = f"it is valid until {date(facts.not_after)}, {span(left)} from now"
    found = [Judgement(Level.OK, "", text)]
    if left < facts.life / 6:
        found = [
            Judgement(
                Level.INFO,
                "cert-expires-soon",
                text,
                "it should have been renewed by now: find out why it was not",
            )
        ]
    is_own, is_public = facts.chain.is_own_root, bool(facts.chain.root)
    if is_own:
        if facts.life > timedelta(days=_LONGEST_OF_ONES_OWN, seconds=1):
            found.append(
                Judgement(
                    Level.INFO,
                    "cert-lives-too-long",
                    f"it is valid for {facts.life.days} days; Apple's systems accept at most "
                    f"{_LONGEST_OF_ONES_OWN}, also from a private authority",
                    "ask for a certificate with a shorter lifetime",
                )
            )
        return found
    longest = next((days for since, days in _LONGEST if facts.not_before >= since), None)
    if longest is not None and facts.life > timedelta(days=longest, seconds=1):
        found.append(
            Judgement(
                Level.ERROR if is_public else Level.INFO,
                "cert-lives-too-long",
                f"it is valid for {facts.life.days} days; browsers accept at most {longest} from "
                "a public authority" + ("" if is_public else ", and any lifetime from your own"),
                "ask for a certificate with a shorter lifetime" if is_public else "",
                "ERR_CERT_VALIDITY_TOO_LONG" if is_public else "",
            )
        )
    return found


def _key(facts: CertificateFacts) -> list[Judgement]:
    found = []
    if facts.key_fault:
        found.append(
            Judgement(
                Level.ERROR,
                "cert-weak-key",
                f"its key cannot be used: {facts.key_fault}",
                "openssl ecparam -genkey -name prime256v1 -noout, and ask again with that key",
                "ERR_CERT_WEAK_KEY",
                "Algorithm constraints check failed on keysize limits",
                _NO_HANDSHAKE,
            )
        )
    elif facts.key.startswith("Ed"):
        found.append(
            Judgement(
                Level.ERROR,
                "cert-weak-key",
                f"its key is {facts.key}, which no browser accepts",
                "ask for a certificate with an ECDSA P-256 key",
                "ERR_SSL_VERSION_OR_CIPHER_MISMATCH",
                "",
                _NO_HANDSHAKE,
            )
        )
    else:
        found.append(Judgement(Level.OK, "", f"its key is {facts.key}"))
    if facts.digest in _BROKEN_DIGESTS:
        found.append(
            Judgement(
                Level.ERROR,
                "cert-weak-signature",
                f"it is signed with {facts.digest.upper()}, which is broken",
                "ask for a new one; every authority signs with SHA-256 today",
                "ERR_CERT_WEAK_SIGNATURE_ALGORITHM",
                f"Algorithm constraints check failed on signature algorithm: {facts.digest}",
                _NO_HANDSHAKE,
            )
        )
    return found


def _chain(facts: CertificateFacts) -> list[Judgement]:
    chain = facts.chain
    found = []
    if chain.missing and len(chain.sent) > 1 and chain.unneeded:
        text = f"the file has {len(chain.sent)} certificates, but not the one that issued it"
        found.append(Judgement(Level.INFO, "cert-chain-unneeded", text))
    if not chain.is_in_order:
        found.append(
            Judgement(
                Level.ERROR,
                "cert-chain-order",
                "the certificates are in the wrong order: " + " > ".join(chain.sent),
                "write them so: " + " > ".join(chain.path),
                "",
                "",
                "old Android versions refuse a chain out of order",
            )
        )
    if chain.sends_root:
        text = "the root is in the file; clients have it, and it makes each handshake larger"
        found.append(
            Judgement(Level.INFO, "cert-chain-root", text, "leave the last certificate out")
        )
    if chain.unneeded and not chain.missing:
        text = f"{len(chain.unneeded)} in the file do not belong to it: {'; '.join(chain.unneeded)}"
        found.append(Judgement(Level.INFO, "cert-chain-unneeded", text, "leave them out"))
    if chain.fault:
        found.append(
            Judgement(
                Level.ERROR,
                "cert-chain-fault",
                f"a strict check of the chain fails: {chain.fault}",
                "ask the authority for a new one",
                "ERR_CERT_INVALID",
                "PKIX path validation failed",
                _NO_HANDSHAKE,
            )
        )
    return found


def _trust(facts: CertificateFacts) -> list[Judgement]:
    chain = facts.chain
    if not facts.knows_roots:
        text = "this machine knows no authorities, so it is unknown whether clients trust it"
        return [
            Judgement(
                Level.INFO,
                "cert-unknown-roots",
                text,
                "apt-get install ca-certificates, or give --ca FILE",
            )
        ]
    if chain.root:
        links = " > ".join(dict.fromkeys((*chain.path, chain.root)))
        if chain.is_own_root:
            return [
                Judgement(
                    Level.INFO,
                    "cert-own-authority",
                    f"it leads to an authority of your own, which is trusted here: {links}",
                    "this is right for development; other machines and phones refuse it until they "
                    "have that authority: for them get a certificate from a public authority",
                    wechat=f"{_NO_HANDSHAKE} (a phone does not have that authority)",
                )
            ]
        return [
            Judgement(Level.OK, "", f"it leads to an authority that this machine trusts: {links}")
        ]
    private = (
        "ERR_CERT_AUTHORITY_INVALID",
        "PKIX path building failed: unable to find valid certification path to requested target",
        _NO_HANDSHAKE,
    )
    if chain.is_self_signed:
        text = "it is self-signed: no authority has signed it"
        fix = "get one from a public authority; for development: lineman cert trust"
        return [Judgement(Level.ERROR, "cert-self-signed", text, fix, *private)]
    unknown = chain.missing or chain.path[-1]
    if DEVELOPMENT in unknown.split(","):
        text = f"an authority for development made it, which is not trusted here: {unknown}"
        fix = (
            'if tls="dev" has made it: lineman cert trust; on another machine, with a copy of '
            "its ca.pem: lineman cert trust --ca ca.pem; for one command: --ca ca.pem"
        )
        return [Judgement(Level.ERROR, "cert-private-authority", text, fix, *private)]
    if len(chain.path) > 1 or not chain.missing:
        text = f"it leads to an authority that this machine does not trust: {unknown}"
        fix = "get one from a public authority, or let every client trust that one (--ca FILE)"
        return [Judgement(Level.ERROR, "cert-private-authority", text, fix, *private)]
    return [
        Judgement(
            Level.ERROR,
            "cert-chain-incomplete",
            f"the certificate of its issuer is missing: {unknown}",
            "give the whole chain (fullchain.pem instead of cert.pem); if there is no more, its "
            "authority is a private one",
            "ERR_CERT_AUTHORITY_INVALID on phones; a desktop may fetch what is missing and hide it",
            *private[1:],
        )
    ]
