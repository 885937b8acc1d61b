"""Which members of the public classes are for programs: the reference has these, and no others."""

from __future__ import annotations

from lineman.base import vocabulary

# Of these classes programs see a part; the rest is for the package itself.
SHOWN = {
    "Client": vocabulary.CLIENT_MEMBERS,
    "Connection": vocabulary.MEMBERS,
    "DatagramPeer": vocabulary.PEER_MEMBERS,
    "LiveTls": ("shares_tickets", "unknown_names"),
    "Request": vocabulary.REQUEST_MEMBERS,
}
# Likewise, where the part that is not for programs is the smaller one.
HIDDEN = {
    "CertificateInfo": {"refuse_dates"},
    "Delay": {"args", "drop", "filed_tick", "function", "on_deadline", "owner"},
    "Job": {"__init__", "begin", "has_begun", "key", "retire"},
    "Dialer": {"callbacks"},
    "Gateway": {"all_names", "callbacks"},
    "Headers": {"encode", "forget_looks"},
    "ReconnectingLine": {"begin", "is_done", "is_used"},
    "EventStream": {"check_body", "encode", "has_type", "head", "is_events", "is_whole"},
    "Response": {"check_body", "encode", "has_type", "head", "is_events", "is_whole"},
    "Worker": {
        *("callbacks", "claim", "event_functions", "facts", "jobs"),
        *(
            "links_directory",
            "push_remedy",
            "runtime",
            "service",
            "takes_clients",
            "takes_settings",
            "troubles",
        ),
        "uses_events",
    },
}


def is_public(name: str, member: str) -> bool:
    """Whether programs see this member of a public class.

    Args:
        name: the class.
        member: of it.
    """
    if name in SHOWN:
        return member in SHOWN[name]
    return not member.startswith("_") and member not in HIDDEN.get(name, ())
