// WebSocket clients of the npm package `ws` against BASE_URL: runs the case that argv names and prints one JSON line.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NPM_MODULES, "x.js"));
const { WebSocket } = require("ws");
const base = process.env.BASE_URL;
const settings = {
  perMessageDeflate: process.env.DEFLATE === "1" ? { threshold: 0 } : false,
  ca: process.env.CA ? (await import("node:fs")).readFileSync(process.env.CA) : undefined,
  maxPayload: 64 * 1024 * 1024,
};
const [name, ...given] = process.argv.slice(2);

const digest = (data) => createHash("sha256").update(data).digest("hex");
const pattern = (size, seed) => {
  const bytes = Buffer.allocUnsafe(size);
  for (let i = 0; i < size; i += 1) bytes[i] = (i * 31 + (i >> 8) * 7 + seed * 13) & 255;
  return bytes;
};
const open = (target) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(base + target, settings);
    socket.waiting = [];
    socket.came = [];
    socket.theirs = 0; // pings; the first may come with the answer that opens the connection
    socket.on("ping", () => (socket.theirs += 1));
    socket.on("message", (data, binary) => {
      const message = { data, binary };
      const next = socket.waiting.shift();
      if (next) next(message);
      else socket.came.push(message);
    });
    socket.on("upgrade", (response) => (socket.headers = response.headers));
    socket.on("open", () => resolve(socket));
    socket.on("error", reject);
  });
const next = (socket) => (socket.came.length ? Promise.resolve(socket.came.shift()) : new Promise((r) => socket.waiting.push(r)));
const closed = (socket) => new Promise((r) => socket.on("close", (code, reason) => r({ code, reason: reason.toString() })));
const ends = async (socket, code = 1000) => {
  const end = closed(socket);
  socket.close(code, "done");
  return end;
};

const cases = {
  // Text and binary, empty and not, sent as one frame and as many.
  async echo() {
    const socket = await open("/echo");
    const messages = ["", "hello", "grüße \u{1f980}", "x".repeat(70_000), pattern(0, 0), pattern(125, 1), pattern(126, 2), pattern(65_535, 3), pattern(65_536, 4)];
    let same = 0;
    for (const message of messages) {
      socket.send(message);
      const { data, binary } = await next(socket);
      same += binary === Buffer.isBuffer(message) && Buffer.compare(data, Buffer.from(message)) === 0;
    }
    return { sent: messages.length, same, extensions: socket.extensions, end: await ends(socket) };
  },
  async fragments() {
    const socket = await open("/digest");
    const whole = pattern(300_000, 9);
    let at = 0;
    let frames = 0;
    for (const size of [1, 0, 2, 1000, 65_536, 100_000]) {
      socket.send(whole.subarray(at, at + size), { fin: false, binary: true });
      socket.ping(`between ${frames}`); // control frames may come between fragments (RFC 6455 5.4)
      at += size;
      frames += 1;
    }
    socket.send(whole.subarray(at), { fin: true, binary: true });
    const { data } = await next(socket);
    return { frames: frames + 1, answer: data.toString(), expected: `true ${whole.length} ${digest(whole)}`, end: await ends(socket) };
  },
  async pings(count) {
    const socket = await open(`/ping?count=${count}`);
    const pong = (text) => new Promise((r) => socket.once("pong", (data) => r(data.toString() === text)));
    let mine = 0;
    for (let i = 0; i < count; i += 1) {
      socket.ping(`mine ${i}`);
      mine += await pong(`mine ${i}`);
    }
    const { data } = await next(socket);
    return { mine, theirs: socket.theirs, answer: data.toString(), end: await ends(socket) };
  },
  async big(size) {
    const socket = await open("/digest");
    const echo = await open("/echo");
    const whole = pattern(size, 5);
    socket.send(whole);
    const { data } = await next(socket);
    echo.send(whole);
    const back = await next(echo);
    return { answer: data.toString(), expected: `true ${size} ${digest(whole)}`, back: digest(back.data) === digest(whole), end: await ends(socket), other: await ends(echo) };
  },
  // Both sides send all they have before they read anything.
  async both(count, size) {
    const socket = await open(`/push?count=${count}&size=${size}`);
    const sent = createHash("sha256");
    for (let i = 0; i < count; i += 1) {
      const message = pattern(size, 100 + i);
      sent.update(message);
      socket.send(message);
    }
    let good = 0;
    for (let i = 0; i < count; i += 1) {
      const { data } = await next(socket);
      good += Buffer.compare(data, pattern(size, i)) === 0;
    }
    const { data } = await next(socket);
    return { good, answer: data.toString(), expected: `took ${count} ${sent.digest("hex")}`, end: await ends(socket) };
  },
  async close(code) {
    const asked = await open("/close");
    const end = closed(asked);
    asked.send(JSON.stringify({ code, reason: "because" }));
    const theirs = await end;
    const socket = await open("/echo");
    const mine = await ends(socket, code);
    const gone = await open("/echo");
    gone.terminate(); // without a closing handshake
    return { theirs, mine };
  },
  async many(count) {
    const sockets = [];
    for (let i = 0; i < count; i += 50) {
      sockets.push(...(await Promise.all(Array.from({ length: Math.min(50, count - i) }, () => open("/echo")))));
    }
    process.stderr.write("all open\n");
    const answers = await Promise.all(
      sockets.map(async (socket, i) => {
        socket.send(`message ${i}`);
        return (await next(socket)).data.toString() === `message ${i}`;
      }),
    );
    const ended = await Promise.all(sockets.map((socket) => ends(socket)));
    return { open: sockets.length, answers: answers.filter(Boolean).length, ended: ended.filter((e) => e.code === 1000).length };
  },
  // Stays open until the proxy ends it; says when it is there and how it ended.
  async stay() {
    const socket = await open("/echo");
    socket.send("there");
    await next(socket);
    process.stderr.write("there\n");
    const began = Date.now();
    const end = await closed(socket);
    return { end, after: Date.now() - began };
  },
  async refused() {
    const socket = new WebSocket(base + "/echo", settings);
    return new Promise((resolve) => {
      socket.on("unexpected-response", (_request, response) => resolve({ status: response.statusCode }));
      socket.on("error", (error) => resolve({ error: error.message }));
      socket.on("open", () => resolve({ opened: true }));
    });
  },
};
const result = await cases[name](...given.map(Number));
process.stdout.write(JSON.stringify(result) + "\n");
process.exit(0);
