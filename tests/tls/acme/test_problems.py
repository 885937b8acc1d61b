from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lineman.tls.acme.problems import explain, retry_moment

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
LIMITED = "urn:ietf:params:acme:error:rateLimited"


@pytest.mark.parametrize(
    ("detail", "words", "fix"),
    [
        # As https://letsencrypt.org/docs/rate-limits/ and Boulder's source word them.
        (
            "too many certificates (5) already issued for this exact set of identifiers in the "
            "last 168h0m0s, retry after 2026-11-27 03:04:05 UTC: see https://letsencrypt.org/docs/"
            "rate-limits/#new-certificates-per-exact-set-of-identifiers",
            "the same certificate",
            "keep the state directory",
        ),
        (
            'too many certificates (50) already issued for "example.com" in the last 168h0m0s, '
            "retry after 2026-11-27 03:04:05 UTC",
            "for this domain",
            "several names into one",
        ),
        (
            'too many failed authorizations (5) for "chat.example.com" in the last 1h0m0s, retry '
            "after 2026-11-27 03:04:05 UTC",
            "could not be validated too often",
            "mend the causes in the earlier errors",
        ),
        (
            "too many new orders (300) from this account in the last 3h0m0s, retry after "
            "2026-11-27 03:04:05 UTC",
            "too many certificates were asked for",
            "in a loop",
        ),
        (
            "too many new registrations (10) from this IP address in the last 3h0m0s, retry after "
            "2026-11-27 03:04:05 UTC",
            "too many accounts",
            "keep the state directory",
        ),
        (
            "Service busy; retry after 2026-11-27 03:04:05 UTC",
            "too many requests",
            "wait",
        ),
    ],
)
def test_each_rate_limit_is_told_in_words_with_its_end(detail: str, words: str, fix: str) -> None:
    found = explain({"type": LIMITED, "detail": detail})
    assert words in found.seen
    assert "no more before 2026-11-27 03:04 UTC" in found.seen
    assert detail in found.seen
    assert fix in found.fix
    assert found.retry_at == datetime(2026, 11, 27, 3, 4, 5, tzinfo=UTC)


def test_a_paused_name_is_told_apart() -> None:
    found = explain(
        {
            "type": LIMITED,
            "detail": "Your account is temporarily prevented from requesting certificates for "
            "chat.example.com. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=x",
        }
    )
    assert "has paused this name" in found.seen
    assert "follow the link" in found.fix


def test_the_header_counts_where_the_text_names_no_time() -> None:
    found = explain({"type": LIMITED, "detail": "slow down"}, retry_at=NOW)
    assert found.retry_at == NOW
    assert "before 2026-11-25 12:00 UTC" in found.seen


@pytest.mark.parametrize(
    ("code", "detail", "fix"),
    [
        ("connection", "Timeout during connect (likely firewall problem)", "firewall"),
        ("unauthorized", "Failed to connect to 192.0.2.1:443 for the challenge", "firewall"),
        ("unauthorized", "Invalid response from http://chat.example.com/…: 404", "in front of it"),
        ("dns", "DNS problem: NXDOMAIN looking up A for chat.example.com", "A or AAAA record"),
        ("caa", "CAA record for chat.example.com prevents issuance", "dig CAA chat.example.com"),
        ("tls", "remote error: tls: handshake failure", "use http-01"),
        ("externalAccountRequired", "no binding", "eab_key_id"),
        ("serverInternal", "oops", "tries again"),
        ("somethingNew", "oops", "see the text"),
        ("", "oops", "see the text"),
    ],
)
def test_an_error_comes_with_what_to_do(code: str, detail: str, fix: str) -> None:
    problem = {"type": f"urn:ietf:params:acme:error:{code}" if code else None, "detail": detail}
    found = explain(problem, name="chat.example.com")
    assert found.seen.startswith(f"chat.example.com: {detail}")
    assert fix in found.fix
    assert "{" not in found.fix


@pytest.mark.parametrize(
    "detail",
    [
        # As Boulder and Pebble word it.
        'Account is not valid, has status "deactivated"',
        'Account is not valid, has status "revoked"',
        "Account has been deactivated",
        "An account with the provided public key exists but is deactivated",
    ],
)
@pytest.mark.parametrize("name", ["", "chat.example.com"])
def test_an_account_that_is_shut_has_nothing_to_do_with_a_name(detail: str, name: str) -> None:
    kind = "urn:ietf:params:acme:error:unauthorized"
    found = explain({"type": kind, "detail": detail}, name=name)
    assert found.seen.startswith(f"the account at the authority is closed: {detail}")
    assert "account.key" in found.fix
    assert "points to this machine" not in str(found)


def test_a_page_that_a_challenge_has_found_is_no_word_about_the_account() -> None:
    detail = 'Invalid response from http://chat.example.com/…: "Account suspended"'
    found = explain(
        {"type": "urn:ietf:params:acme:error:unauthorized", "detail": detail},
        name="chat.example.com",
    )
    assert "points to this machine" in found.fix


def test_every_names_own_problem_is_told() -> None:
    found = explain(
        {
            "type": "urn:ietf:params:acme:error:rejectedIdentifier",
            "detail": "Some names are refused",
            "subproblems": [
                {"identifier": {"type": "dns", "value": "a.example"}, "detail": "policy"},
                {"detail": "no\nname"},
                "garbage",
            ],
        }
    )
    assert "Some names are refused / a.example: policy / a name: no name" in found.seen


def test_a_text_without_end_is_cut() -> None:
    assert len(explain({"detail": "x" * 100_000}).seen) < 2000


@pytest.mark.parametrize(
    ("header", "moment"),
    [
        (None, None),
        ("120", NOW + timedelta(minutes=2)),
        ("Thu, 26 Nov 2026 12:00:00 GMT", NOW + timedelta(days=1)),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("1" * 5000, NOW + timedelta(seconds=10**8)),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, moment: datetime | None) -> None:
    assert retry_moment(header, NOW) == moment
