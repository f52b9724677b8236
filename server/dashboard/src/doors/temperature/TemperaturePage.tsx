import { useEffect, useState } from "react";
import type { Socket } from "socket.io-client";
import { DOOR_EVENTS, type LiveTemperature } from "../../contract";
import { NO_VALUE } from "../../format";
import { useNow } from "../../state/ticker";
import { Frame } from "../Frame";
import { useStanding } from "../wire";

/** So long without an event, and the value on the page is no longer now. */
const STALE_MS = 3500;

/** The temperature now, whose it is, and whether anybody measured it. */
export function TemperaturePage({ socket }: { socket: Socket }) {
  const standing = useStanding(socket);
  const [told, setTold] = useState<{ body: LiveTemperature; at: number } | null>(null);
  const now = useNow();
  useEffect(() => {
    const tell = (body: LiveTemperature) => setTold({ body, at: Date.now() });
    socket.on(DOOR_EVENTS.TEMPERATURE, tell);
    return () => {
      socket.off(DOOR_EVENTS.TEMPERATURE, tell);
    };
  }, [socket]);
  const stale = told !== null && (standing !== "connected" || now - told.at > STALE_MS);
  return (
    <Frame title="Temperature" standing={standing}>
      <section className="thermometer" data-stale={stale} data-testid="thermometer">
        <p className="thermometer-value">
          <span data-testid="temperature">{told ? told.body.data.replace("-", "−") : NO_VALUE}</span>
          {told && <span className="unit">{told.body.unit ?? "°C"}</span>}
        </p>
        {told && <Source body={told.body} />}
        <p className="quiet" role="status">
          {stale && told ? `Not live: this value came at ${new Date(told.at).toLocaleTimeString()}.` : told ? `${told.body.simulated ? "As of" : "Measured at"} ${clock(told.body.taken_at)}` : "Waiting for the first value…"}
        </p>
      </section>
    </Frame>
  );
}

/** Whose it is. A value that nobody measured says so beside itself. */
function Source({ body }: { body: LiveTemperature }) {
  const device = body.device ?? null;
  return (
    <p className="thermometer-source" data-testid="source">
      {device !== null && <a href={`/?device=${encodeURIComponent(device)}`}>{device}</a>}
      {body.simulated && <span className="badge badge-warn">simulated</span>}
      {body.simulated && <span className="quiet">{device === null ? "No sensor reports; this is a made-up room." : "This device simulates its sensors."}</span>}
    </p>
  );
}

function clock(at: string | null | undefined): string {
  return at ? new Date(at).toLocaleTimeString() : "this second";
}
