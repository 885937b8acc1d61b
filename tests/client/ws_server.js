// A server with npm's `ws`: it echoes, and does what some messages ask for.
const { WebSocketServer } = require("/usr/share/nodejs/ws");

const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
});

server.on("listening", () => console.log(`ready ${server.address().port}`));
server.on("connection", (socket) => {
    socket.on("pong", (data) => socket.send(`pong of ${data}`));
    socket.on("close", (code, reason) => console.log(`closed ${code} ${reason}`));
    socket.on("message", (data, isBinary) => {
        const text = isBinary ? "" : data.toString();
        if (text === "extensions") {
            socket.send(socket.extensions);
        } else if (text === "ping me") {
            socket.ping("here");
        } else if (text === "in parts") {
            socket.send("one, ", { fin: false });
            socket.send("two", { fin: true });
        } else if (text === "close me") {
            socket.close(4001, "as asked");
        } else if (text === "vanish") {
            socket.terminate();
        } else {
            socket.send(data, { binary: isBinary });
        }
    });
});
