"""The header by which a client is given a cookie. Pure.

Source: RFC 6265, section 4.1; RFC 6265bis, section 4.1 (`SameSite`, and the rules for prefixes).
"""

from __future__ import annotations

import re

from lineman.errors import UsageError

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
_ATTRIBUTE = re.compile(r"[ -:<-~]*")
_SAME_SITE = ("Lax", "Strict", "None")


def cookie_line(
    name: str,
    value: str,
    max_age: int | None,
    path: str | None,
    domain: str | None,
    secure: bool,
    http_only: bool,
    same_site: str | None,
) -> str:
    """The value of `Set-Cookie`; see `Response.set_cookie`.

    Raises:
        UsageError: something cannot be in a cookie, or browsers would throw it away.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise UsageError(f"a cookie's name is {name!r}; write letters, digits and dashes")
    if not isinstance(value, str) or _VALUE.fullmatch(value) is None:
        raise UsageError(
            f"the value of the cookie {name} has characters that a cookie cannot hold; encode it: "
            "urllib.parse.quote(value)"
        )
    line = [f"{name}={value}"]
    if max_age is not None:
        if not isinstance(max_age, int) or max_age < 0:
            raise UsageError(f"max_age of the cookie {name} is {max_age!r}; give seconds, or 0")
        line.append(f"Max-Age={int(max_age)}")
    for attribute, given in (("Path", path), ("Domain", domain)):
        if given is None:
            continue
        if not isinstance(given, str) or _ATTRIBUTE.fullmatch(given) is None:
            raise UsageError(
                f"{attribute.lower()} of the cookie {name} is {given!r}; give ASCII without ;"
            )
        line.append(f"{attribute}={given}")
    if same_site is not None and same_site not in _SAME_SITE:
        raise UsageError(f'same_site is {same_site!r}; give "Lax", "Strict" or "None"')
    if same_site == "None" and not secure:
        raise UsageError(
            f'same_site of the cookie {name} is "None", and browsers then demand secure=True'
        )
    if name.startswith(("__Secure-", "__Host-")) and not secure:
        raise UsageError(f"browsers take the cookie {name} only with secure=True")
    if name.startswith("__Host-") and (domain is not None or path != "/"):
        raise UsageError(f'browsers take the cookie {name} only with path="/" and no domain')
    line += ["Secure"] * secure + ["HttpOnly"] * http_only
    if same_site is not None:
        line.append(f"SameSite={same_site}")
    return "; ".join(line)
