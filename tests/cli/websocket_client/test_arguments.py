"""What the words of the command line mean to a websocket client."""

from __future__ import annotations

import argparse
import ssl

import pytest

from lineman.cli.websocket_client.arguments import header, number, seconds, tls_context


def test_a_header_is_a_name_and_a_value_without_blanks_around() -> None:
    assert header("Authorization:  Bearer a:b ") == ("Authorization", "Bearer a:b")
    with pytest.raises(argparse.ArgumentTypeError, match="has no colon; write 'Name: value'"):
        header("Authorization")


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1.5", "x", ""])
def test_what_is_no_number_of_the_kind_is_told(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number"):
        number(text, int, 0, "a whole number")


def test_the_lowest_number_is_allowed_and_a_time_is_more_than_nothing() -> None:
    assert number("0", int, 0, "a whole number") == 0
    assert seconds("0.5") == 0.5
    with pytest.raises(argparse.ArgumentTypeError):
        seconds("0")


def test_any_certificate_is_trusted_only_if_that_was_asked_for() -> None:
    assert tls_context(None, False).verify_mode is ssl.CERT_REQUIRED
    careless = tls_context(None, True)
    assert (careless.verify_mode, careless.check_hostname) == (ssl.CERT_NONE, False)
