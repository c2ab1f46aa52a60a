// A WebSocket server of the npm package `ws`. Prints its port as the first line of stdout, then one JSON line per event.
// By path: /echo sends back what comes, /digest answers each message with its SHA-256, /push sends COUNT messages of SIZE
// bytes at once while it takes what comes, /close closes with the code and reason that the first message names, /ping sends
// pings and counts the pongs.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NPM_MODULES, "x.js"));
const { WebSocketServer } = require("ws");
const deflate = process.env.DEFLATE === "1";
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  backlog: 1024,
  perMessageDeflate: deflate ? { threshold: 0 } : false,
  maxPayload: 64 * 1024 * 1024,
});
const say = (event) => process.stdout.write(JSON.stringify(event) + "\n");
const pattern = (size, seed) => {
  const bytes = Buffer.allocUnsafe(size);
  for (let i = 0; i < size; i += 1) bytes[i] = (i * 31 + (i >> 8) * 7 + seed * 13) & 255;
  return bytes;
};
const digest = (data) => createHash("sha256").update(data).digest("hex");

const behaviours = {
  "/echo": (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })),
  "/digest": (socket) => socket.on("message", (data, binary) => socket.send(`${binary} ${data.length} ${digest(data)}`)),
  "/push": (socket, url) => {
    const count = Number(url.searchParams.get("count"));
    const size = Number(url.searchParams.get("size"));
    const taken = createHash("sha256");
    let messages = 0;
    socket.on("message", (data) => {
      taken.update(data);
      messages += 1;
      if (messages === count) socket.send(`took ${messages} ${taken.digest("hex")}`);
    });
    for (let i = 0; i < count; i += 1) socket.send(pattern(size, i));
  },
  "/close": (socket) =>
    socket.on("message", (data) => {
      const { code, reason } = JSON.parse(data);
      socket.close(code, reason);
    }),
  "/ping": (socket, url) => {
    const count = Number(url.searchParams.get("count"));
    let pongs = 0;
    socket.on("pong", (data) => {
      if (data.toString() === `ping ${pongs}`) pongs += 1;
      if (pongs === count) socket.send(`pongs ${pongs}`);
      else socket.ping(`ping ${pongs}`);
    });
    socket.ping("ping 0");
  },
};

server.on("connection", (socket, request) => {
  const url = new URL(request.url, "http://x");
  socket.on("close", (code, reason) => say({ closed: url.pathname, code, reason: reason.toString() }));
  socket.on("error", (error) => say({ error: error.message }));
  behaviours[url.pathname](socket, url);
});
server.on("listening", () => say({ port: server.address().port }));
process.on("SIGTERM", () => process.exit(0));
