"""A page that opens two websockets of a chat, talks by the first one, and counts at both."""

PAGE = """<!doctype html>
<link rel="icon" href="data:,"><title>opening</title>
<script>
const url = `ws://${location.host}%s`;
const got = [[], []];
const sockets = got.map((list, number) => {
    const socket = new WebSocket(url);
    socket.onmessage = event => {
        const found = /n(\\d+)n/.exec(event.data);
        if (found) list.push(Number(found[1]));
        if (got.every(each => each.length === COUNT)) socket.close(1000, "done");
        show();
    };
    socket.onclose = event => { closed.push(event.code); show(); };
    socket.onopen = () => { opened += 1; if (opened === 2) setTimeout(talk); };
    return socket;
});
const COUNT = 200, closed = [];
let opened = 0, sent = 0;
function talk() {
    for (; sent < COUNT; sent += 1) sockets[0].send(`n${sent}n`);
    show();
}
function show() {
    if (closed.length) sockets.forEach(socket => socket.close(1000, "done"));
    const inOrder = got.every(list => list.every((value, index) => value === index));
    document.title = [opened, sent, got[0].length, got[1].length, inOrder, closed].join(" ");
}
</script>
"""


def page(path: str) -> str:
    """The page, for a chat at this path."""
    return PAGE % path
