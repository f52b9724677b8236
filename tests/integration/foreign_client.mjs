// A page's client that knows nothing of the project but its wire: joins /client, prints each event as a JSON line.
import { createRequire } from "node:module";

const [url, dashboard] = process.argv.slice(2);
const { io } = createRequire(`${dashboard}/`)("socket.io-client");
const socket = io(`${url}/client`, { transports: ["polling", "websocket"] });

socket.on("connect_error", (error) => {
  console.error(error.message);
  process.exit(1);
});
socket.onAny((event, body) => console.log(JSON.stringify({ event, body })));
socket.on("snapshot_pub_client", async (snapshot) => {
  const device = snapshot.devices[0].device;
  const ask = (body) => socket.timeout(10_000).emitWithAck("command_request_client", body);
  for (const action of ["on", "check", "off"]) {
    const ack = await ask({ action, device, accessory: "breath_light" });
    console.log(JSON.stringify({ event: "ack", body: ack }));
  }
  console.log(JSON.stringify({ event: "ack", body: await ask({ action: "clean", all: true }) }));
  console.log(JSON.stringify({ event: "transport", body: socket.io.engine.transport.name }));
});
