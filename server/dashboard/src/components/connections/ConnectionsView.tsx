import { useEffect, useState } from "react";
import { bytes, count, duration, epoch } from "../../format";
import { connections, type Connections, type SlowConnection } from "../../link/http";
import { useStore } from "../../state/store";
import { useNow } from "../../state/ticker";
import { ViewHead } from "../ViewHead";

const PERIOD_MS = 2_000;
const DOORS: Readonly<Record<string, string>> = { "/client": "page or program", "/pi": "agent", "/": "another door" };

type Standing = { known: Connections | null; trouble: string };

/** Who takes what the relay sends, and who is behind. */
export function ConnectionsView() {
  const { known, trouble } = useConnections();
  return (
    <section className="view" aria-label="Connections" data-testid="connections-view">
      <ViewHead title="Connections" note="who keeps up" />
      {trouble && (
        <p className="connections-trouble" role="alert">
          {trouble}
        </p>
      )}
      {known === null ? !trouble && <p className="quiet view-none">Loading…</p> : <Standing known={known} />}
    </section>
  );
}

function Standing({ known }: { known: Connections }) {
  const { behind } = known;
  return (
    <>
      {behind.length === 0 ? (
        <p className="connections-fine" data-testid="connections-fine">
          <strong>Everybody keeps up.</strong>{" "}
          <span className="quiet">
            {known.connections === 1 ? "The one connection there is takes" : `All ${count(known.connections)} connections take`} what is sent at once; nothing
            waits.
          </span>
        </p>
      ) : (
        <>
          <p className="connections-lead">
            <strong>
              {count(behind.length)} of {count(known.connections)} behind.
            </strong>{" "}
            <span className="quiet">Past {bytes(known.bound_bytes)} or {count(known.bound_events)} events, readings are left out and replayed later.</span>
          </p>
          <ul className="connections" data-testid="connections-behind">
            {behind.map((one) => (
              <Row key={`${one.name} ${one.address} ${one.since} ${one.doors.join()}`} one={one} known={known} />
            ))}
          </ul>
        </>
      )}
      <h3 className="connections-since">Since the relay was started</h3>
      <dl className="connections-total">
        <Total label="Left out, and told" value={known.dropped} />
        <Total label="Notices of that" value={known.notices} />
        <Total label="Replaced by newer states" value={known.conflated} />
        <Total label="Closed as too slow" value={known.closed} />
      </dl>
    </>
  );
}

function Row({ one, known }: { one: SlowConnection; known: Connections }) {
  const now = useNow();
  const skewMs = useStore((state) => state.skewMs);
  const since = epoch(one.since) ?? now;
  const full = Math.min(1, Math.max(one.waiting_bytes / known.bound_bytes, one.waiting_events / known.bound_events));
  const name = one.name || "not known yet";
  return (
    <li className="connection" data-full={full >= 0.9}>
      <p className="connection-name">
        <strong>{name}</strong> <span className="quiet">{one.address}</span>
      </p>
      <p className="connection-age">behind for {duration(Math.max(1, (now + skewMs - since) / 1000))}</p>
      <div className="connection-bar" role="meter" aria-label={`How much of its bound waits for ${name}`} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(100 * full)}>
        <span style={{ width: `${100 * full}%` }} />
      </div>
      <p className="connection-facts">
        <span>
          {bytes(one.waiting_bytes)} wait{one.waiting_bytes === 1 ? "s" : ""} in {one.waiting_events === 1 ? "1 event" : `${count(one.waiting_events)} events`}
        </span>
        {one.dropped > 0 && <span>{count(one.dropped)} left out</span>}
        {one.conflated > 0 && <span>{count(one.conflated)} replaced</span>}
        <span>
          {one.doors.map((door) => DOORS[door] ?? door).join(", ") || "no door"}, {one.transport === "polling" ? "long polling" : "websocket"}
        </span>
      </p>
    </li>
  );
}

function Total({ label, value }: { label: string; value: number }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{count(value)}</dd>
    </div>
  );
}

/** What the relay says of its connections, every two seconds while one looks. */
function useConnections(): Standing {
  const [standing, setStanding] = useState<Standing>({ known: null, trouble: "" });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let left = false;
    const look = async (): Promise<void> => {
      try {
        const known = await connections();
        if (!left) setStanding({ known, trouble: "" });
      } catch (error) {
        if (!left) setStanding((before) => ({ ...before, trouble: error instanceof Error ? error.message : String(error) }));
      }
      if (!left) timer = setTimeout(() => void look(), PERIOD_MS);
    };
    void look();
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, []);
  return standing;
}
