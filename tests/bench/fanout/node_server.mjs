// Node's socket.io with its usual engine. Prints `port N`; obeys lines `RATE BURST` on standard input.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const { Server } = createRequire(process.argv[2] + "/")("socket.io");
const http = createServer();
const io = new Server(http, { perMessageDeflate: false });
const pages = io.of("/client");
const show = (payload) => pages.emit("sensor_data_pub_client", payload);
io.of("/pi").on("connection", (socket) => {
  socket.on("sensor_data_pub_pi", (payload, ack) => {
    show(payload);
    ack?.({ ok: true, code: "stored", id: payload.id });
  });
  device = socket;
  socket.on("LED_status_pub_pi", (status) => {
    const asker = asked.get(status.command);
    asked.delete(status.command);
    asker?.emit("command_result_pub_client", { ...answer(status.command), state: "verified", status: status.status });
  });
});
const asked = new Map();
const answer = (command) => ({ command, device: "bench", action: "on", code: "accepted", at: new Date().toISOString() });
let device;
let commands = 0;
pages.on("connection", (socket) => {
  socket.on("command_request_client", (request, ack) => {
    const command = String(++commands);
    asked.set(command, socket);
    device.emit("LED_on_publish_server", {
      pin: 18,
      mode: "主動",
      code: 1,
      accessory: request.accessory,
      status: true,
      type: "on",
      msg: "on",
      command,
    });
    ack?.({ ok: true, code: "accepted", command });
  });
});
let number = 0;
let rate = 0;
let burst = 1;
let due = performance.now();
function produce() {
  if (rate === 0) {
    due = performance.now();
    return setTimeout(produce, 50);
  }
  for (let count = 0; count < burst; count++) {
    show({
      device: "bench",
      stream: "bench",
      clock: { boot_id: "b", monotonic_ns: Number(process.hrtime.bigint()), synchronised: true },
      id: ++number,
      datetime: "2026-01-31 23:59:59",
      fail: [],
      data: { temperature: 21.4, humidity: 48.2 },
    });
  }
  due += 1000 / rate;
  setTimeout(produce, Math.max(0, due - performance.now()));
}
produce();
const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => ([rate, burst] = line.split(" ").map(Number)));
lines.on("close", () => process.exit(0));
http.listen(0, "127.0.0.1", () => console.log(`port ${http.address().port}`));
