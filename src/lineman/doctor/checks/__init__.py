"""The table of checks (pure): facts in, findings out, the likeliest cause first."""

from __future__ import annotations

from lineman.base.finding import Finding
from lineman.doctor.checks import handshake_answer, open_line, reach, served_tls, upstream, wechat
from lineman.doctor.checks import web_page as page
from lineman.doctor.checks.check_type import Check
from lineman.doctor.facts import Facts

# In the order of the layers: a failure above a broken layer is not the cause. A stand-in and a
# direct connection to the upstream show more than the proxy's answer, so they come before it.
CHECKS: tuple[Check, ...] = (
    *reach.CHECKS,
    *served_tls.CHECKS,
    *upstream.CHECKS,
    *handshake_answer.CHECKS,
    *page.CHECKS,
    *open_line.CHECKS,
    *wechat.CHECKS,
)


def judge(facts: Facts) -> list[Finding]:
    """Every finding, the worst first; of equals, the one that explains the others first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(found, key=lambda finding: -finding.level)
