"""What holds for every web server."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineman.errors import ConfigError
from lineman.webservers import PROGRAMS
from webservers.support import NEWEST, site


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_version_that_is_too_old_is_refused(kind: str) -> None:
    module = PROGRAMS[kind]
    oldest = module.OLDEST
    module.render(site(), oldest)
    older = (oldest[0], oldest[1] - 1, 0)
    with pytest.raises(ConfigError, match="or newer, or another program"):
        module.render(site(), older)


@pytest.mark.parametrize("kind", ["nginx", "apache", "haproxy"])
def test_without_a_certificate_only_caddy_gets_one(kind: str) -> None:
    without = site(cert=None, key=None)
    with pytest.raises(ConfigError, match="needs a certificate"):
        PROGRAMS[kind].render(without, NEWEST[kind])
    assert "\ttls " not in PROGRAMS["caddy"].render(without, NEWEST["caddy"])


@pytest.mark.parametrize("kind", PROGRAMS)
def test_without_http_2_it_is_not_offered(kind: str) -> None:
    text = PROGRAMS[kind].render(site(has_http2=False), NEWEST[kind])
    assert "h2" not in text.replace("http2 ", "").replace("protocols h1\n", "")
    assert "http2 on" not in text


@pytest.mark.parametrize("kind", PROGRAMS)
@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_nothing_that_is_let_in_ends_a_line(kind: str, domain: str, path: str, file: str) -> None:
    """Whatever is given, the file has the lines of a harmless one, or there is no file."""
    version = NEWEST[kind]
    try:
        text = PROGRAMS[kind].render(
            site(domain, path=f"/{path}", cert=f"/{file}", key=f"/{file}"), version
        )
    except ConfigError:
        return
    harmless = PROGRAMS[kind].render(site(cert="/c", key="/c", path="/p"), version)
    for ender in ("\n", ";", "{", "}", '"'):
        assert text.count(ender) == harmless.count(ender)
