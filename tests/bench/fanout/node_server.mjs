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
