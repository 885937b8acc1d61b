"""The table of checks (pure): facts in, findings out, the likeliest cause first."""

from __future__ import annotations

from lineman.doctor.checks import handshake, line, page, reach, tls, upstream, wechat
from lineman.doctor.facts import Facts
from lineman.doctor.finding import Check
from lineman.finding import Finding

# From the ground up: what stands on something broken is not to blame. A standing-in service and
# an upstream asked directly know more than the proxy's answer, so they speak before it.
CHECKS: tuple[Check, ...] = (
    *reach.CHECKS,
    *tls.CHECKS,
    *upstream.CHECKS,
    *handshake.CHECKS,
    *page.CHECKS,
    *line.CHECKS,
    *wechat.CHECKS,
)


def judge(facts: Facts) -> list[Finding]:
    """Every finding, the worst first; of equals, the one that explains the others first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(found, key=lambda finding: -finding.level)
