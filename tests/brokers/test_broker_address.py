"""A broker's address in messages: without its password, whatever characters that holds."""

from __future__ import annotations

import pytest

from lineman.brokers.broker_address import check_login, explain, joined, without_login
from lineman.errors import ConfigError

SECRETS = ("geheim/1", "geheim#1", "geheim?1", "ge@heim/1", "geheim[1", "geheim:1", "geheim 1", "%")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+cluster", "nats", "tls", "NATS"])
def test_no_part_of_a_password_is_shown(scheme: str, secret: str) -> None:
    for login in (f":{secret}", f"me:{secret}"):
        assert without_login(f"{scheme}://{login}@host:6379/0?x=y") == f"{scheme}://…@host:6379"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0?password=geheim", "redis://host:6379"),
        ("redis://me:geheim", "redis://…"),
        ("redis://:geheim", "redis://…"),
        ("redis://:ge/heim\nx@h", "redis://…@h"),
        ("me:geheim@host", "me:…@host"),
        ("redis+cluster://a:1,b:2", "redis+cluster://a:1,b:2"),
        ("redis://[::1]:6379", "redis://[::1]:6379"),
    ],
)
def test_what_looks_like_no_host_and_port_is_left_out(url: str, shown: str) -> None:
    assert without_login(url) == shown


@pytest.mark.parametrize("secret", ["geheim/1", "geheim#1", "geheim?1", "ge@heim/1", "/", "#"])
@pytest.mark.parametrize("user", ["", "me"])
def test_a_login_that_is_not_encoded_is_refused_with_how_to(user: str, secret: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_login(f"redis://{user}:{secret}@host:6379")
    assert "redis://…@host:6379" in refused.value.seen
    assert "percent-encode" in refused.value.fix
    assert "heim" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "redis://:ge%2Fheim@host:6379/0",
        "redis://:ge@heim@host:6379",
        "redis://host:6379/0?client_name=me@example.com",
        "redis+cluster://me:x@a:1,b:2,[::1]:3",
        "nats://token@host:4222",
    ],
)
def test_an_address_that_is_sound_passes(url: str) -> None:
    check_login(url)


@pytest.mark.parametrize("url", ["redis://me:geheim", "redis://", "redis:///0", "nats://::1:4222"])
def test_an_address_without_a_host_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="names no host and port") as refused:
        check_login(url)
    assert "geheim" not in str(refused.value)


def test_what_the_libraries_say_becomes_a_cause_and_a_remedy() -> None:
    said = explain(ConnectionError("Error 111 connecting to 127.0.0.1:6379. Connect call failed"))
    assert said.startswith("nothing listens there (ConnectionError: Error 111 connecting")
    assert "; fix: " in said
    assert explain(ValueError("something else")) == "ValueError: something else"


@pytest.mark.parametrize(
    ("url", "one"),
    [
        ("nats://u:p@a,nats://u:p@b", "nats://u:p@a,b"),
        ("nats://u:p@a:1, nats://u:p@[::1]:2,nats://u:p@c/", "nats://u:p@a:1,[::1]:2,c"),
        ("tls://a,tls://b", "tls://a,b"),
        ("redis+cluster://:p@a,redis+cluster://:p@b?x=1", "redis+cluster://:p@a,b?x=1"),
        ("redis+sentinel://a/m,redis+sentinel://b/m", "redis+sentinel://a,b/m"),
        ("nats://u:p@a,b", "nats://u:p@a,b"),
        ("redis://:a,b@c", "redis://:a,b@c"),
        ("hub:///x", "hub:///x"),
        ("nonsense", "nonsense"),
    ],
)
def test_hosts_that_are_each_written_with_scheme_and_login_are_one_broker(
    url: str, one: str
) -> None:
    assert joined(url) == one


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("nats://u:geheim1@a,nats://u:geheim2@b", "logins"),
        ("nats://u:geheim@a,nats://b", "logins"),
        ("redis+sentinel://a/m,redis+sentinel://b/n", "options"),
    ],
)
def test_hosts_that_are_written_differently_are_refused_without_a_word_of_the_login(
    url: str, what: str
) -> None:
    with pytest.raises(ConfigError, match=f"have different {what}; fix: .* give them once") as told:
        joined(url)
    assert "geheim" not in str(told.value)


def test_no_part_of_a_password_is_told_whatever_it_holds() -> None:
    told = []
    for secret in ("ge/heim", "12/heim", "ge@heim", "ge?heim", "ge,heim"):
        for other in (secret, "heim"):
            url = f"nats://me:{secret}@a,nats://me:{other}@b"
            told.append(without_login(url))
            try:
                check_login(joined(url))
            except ConfigError as error:
                told.append(str(error))
    assert len(told) > 15
    assert "heim" not in "".join(told)
