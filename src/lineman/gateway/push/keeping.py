"""Publishes messages, and says which of them are kept."""

from __future__ import annotations

import asyncio

from lineman.errors import LinemanError, NotReachedError, RefusedError
from lineman.gateway.push.api import Api
from lineman.gateway.wire.kept_data import encode_kept
from lineman.gateway.wire.merging import KEEP
from lineman.links.records import to_payload

# How a gateway process refuses a question that it does not know.
UNKNOWN = "there is no question"


async def keep_all(api: Api, groups: tuple[str, ...], message: str | bytes) -> None:
    """Publishes a message to groups; returns when it is kept in the histories of all.

    Raises:
        UsageError: the message is invalid.
        RefusedError: no history is kept.
        NotReachedError: it is not kept for all of them; the text says for how many.
    """
    data = to_payload(message)
    found = await asyncio.gather(
        *(_keep(api, group, data) for group in groups), return_exceptions=True
    )
    errors = [error for error in found if isinstance(error, BaseException)]
    if not errors:
        return
    if not isinstance(errors[0], LinemanError) or len(groups) == 1:
        raise errors[0]
    kept = len(groups) - len(errors)
    raise NotReachedError(
        f"the message is kept for {kept} of {len(groups)} groups, and was sent to these only: "
        f"{errors[0]}",
        "send it again later to the others",
    )


async def _keep(api: Api, group: str, data: str | bytes) -> None:
    try:
        await api._ask(KEEP, group, encode_kept(data))
    except RefusedError as error:
        if UNKNOWN not in str(error):
            raise
        api.publish_to_group(group, data)  # a gateway process of a version before
