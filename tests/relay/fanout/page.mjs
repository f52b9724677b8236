// Pages of the stock JavaScript client: each polls, upgrades, and prints the ids of the rounds it saw.
import { createRequire } from "node:module";

const [url, dashboard, count, last] = process.argv.slice(2);
const { io } = createRequire(`${dashboard}/`)("socket.io-client");
let open = Number(count);
for (let number = 0; number < Number(count); number++) {
  const transports = number % 3 === 0 ? ["websocket"] : number % 3 === 1 ? ["polling", "websocket"] : ["polling"];
  const socket = io(`${url}/client`, { transports, forceNew: true });
  const ids = [];
  socket.on("snapshot_pub_client", () => console.log(JSON.stringify({ joined: number })));
  socket.on("sensor_data_pub_client", ({ id }) => {
    ids.push(id);
    if (id === Number(last)) {
      console.log(JSON.stringify({ ids, transport: socket.io.engine.transport.name }));
      socket.close();
      if (--open === 0) process.exit(0);
    }
  });
}
