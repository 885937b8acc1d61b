"""Server-sent events: what a browser's `EventSource` reads.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import re

from lineman.errors import UsageError

MEDIA_TYPE = "text/event-stream"
COMMENT = b":\n\n"
"""What a client skips: it tells proxies that the stream goes on."""

_LINE_END = re.compile(r"\r\n|\r|\n")


class ServerSentEvent:
    """One event of an event stream.

    Args:
        data: text of any number of lines.
        event: the name for which the page has a listener; None for `message`.
        id: what the client sends as `Last-Event-ID` when it connects again.
        retry: seconds after which the client connects again when the stream has ended.

    Raises:
        UsageError: one of them cannot be sent: `event` and `id` are one line each.
    """

    __slots__ = ("data", "event", "id", "retry")

    def __init__(
        self,
        data: str = "",
        event: str | None = None,
        id: str | int | None = None,
        retry: float | None = None,
    ) -> None:
        if not isinstance(data, str):
            raise UsageError(
                f"the data of a ServerSentEvent is {type(data).__name__}; give text, such as "
                "json.dumps(…)"
            )
        for name, value in (("event", event), ("id", id)):
            text = str(value) if isinstance(value, int) else value
            if text is None:
                continue
            if not isinstance(text, str) or _LINE_END.search(text) or "\0" in text:
                raise UsageError(f"the {name} of a ServerSentEvent is {value!r}; give one line")
        if retry is not None and not (isinstance(retry, (int, float)) and 0 <= retry < 1e9):
            raise UsageError(f"the retry of a ServerSentEvent is {retry!r}; give seconds")
        self.data = data
        self.event = event
        self.id = id
        self.retry = retry

    def encode(self) -> bytes:
        """The event as it goes over the wire; with `data` alone it is one `message`."""
        lines = []
        if self.event is not None:
            lines.append(f"event: {self.event}\n")
        if self.id is not None:
            lines.append(f"id: {self.id}\n")
        if self.retry is not None:
            lines.append(f"retry: {round(self.retry * 1000)}\n")
        data = self.data
        if "\n" in data or "\r" in data:
            lines += [f"data: {line}\n" for line in _LINE_END.split(data)]
        else:
            lines.append(f"data: {data}\n")
        lines.append("\n")
        return "".join(lines).encode()

    def __repr__(self) -> str:
        return f"<ServerSentEvent {self.event or 'message'} {self.data[:40]!r}>"
