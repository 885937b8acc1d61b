"""Bodies in JSON."""

from __future__ import annotations

from typing import Any

from lineman.errors import HttpError


def read_json(body: bytes) -> Any:
    """What a body says.

    Raises:
        HttpError: it is no JSON, or nested too deeply.
    """
    import msgspec  # most programs do not need it

    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HttpError(400, f"the body is no JSON: {error}") from None
    except RecursionError:
        raise HttpError(400, "the body is JSON that is nested too deeply") from None
