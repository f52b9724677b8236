/** How the pages of the other doors connect: the default namespace, reconnecting by itself. */

import { useEffect, useState } from "react";
import { io, type Socket } from "socket.io-client";

export type Standing = "connecting" | "connected" | "reconnecting" | "unauthenticated";

interface Refused extends Error {
  data?: { code?: string };
}

/** A connection that is not open yet. `kind` is its `?type=`; null has none. Without `token` the session's cookie counts. */
export function wire(kind: "esp32" | "frontend" | null, token = ""): Socket {
  return io("/", {
    autoConnect: false,
    // One connection each: the library would put two of one page on the same.
    forceNew: true,
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    reconnectionDelayMax: 5000,
    ...(kind === null ? {} : { query: { type: kind } }),
    ...(token === "" ? {} : { auth: { token } }),
  });
}

/** Whether `socket` is connected, told as it changes. The socket is opened and closed by whoever made it. */
export function useStanding(socket: Socket): Standing {
  const [standing, setStanding] = useState<Standing>(socket.connected ? "connected" : "connecting");
  useEffect(() => {
    const connected = () => setStanding("connected");
    const lost = () => setStanding("reconnecting");
    const refused = (error: Refused) => setStanding(error.data?.code === "unauthenticated" ? "unauthenticated" : "reconnecting");
    socket.on("connect", connected).on("disconnect", lost).on("connect_error", refused);
    return () => {
      socket.off("connect", connected).off("disconnect", lost).off("connect_error", refused);
    };
  }, [socket]);
  return standing;
}
