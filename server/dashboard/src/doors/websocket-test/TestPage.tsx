import { useSyncExternalStore } from "react";
import { DOOR_EVENTS } from "../../contract";
import { NO_VALUE } from "../../format";
import { Frame } from "../Frame";
import { useStanding } from "../wire";
import type { Bench, Entry } from "./bench";
import type { RoundTrips } from "./reading";
import { Simulator } from "./Simulator";

const HISTORY_ROWS = 10;

/** The stress monitor's door, to be tried by hand: an ESP32 on the left, what a page sees on the right. */
export function TestPage({ bench }: { bench: Bench }) {
  const standing = useStanding(bench.page);
  const state = useSyncExternalStore(bench.subscribe, bench.get);
  return (
    <Frame title="ESP32 test" standing={standing}>
      <div className="bench">
        <div className="bench-side">
          <Simulator bench={bench} />
          <section className="card" aria-labelledby="latency">
            <h2 id="latency">Latency</h2>
            <table className="figures">
              <thead>
                <tr>
                  <th scope="col">
                    <span className="unseen">Round trip</span>
                  </th>
                  <th scope="col">last</th>
                  <th scope="col">median</th>
                  <th scope="col">worst</th>
                </tr>
              </thead>
              <tbody>
                <Trips title="Ping" trips={state.ping} />
                <Trips title="Reading stored" trips={state.stored} />
              </tbody>
            </table>
          </section>
          <section className="card" aria-labelledby="connections">
            <h2 id="connections">Connections</h2>
            <dl className="counts" data-testid="stats">
              <Count title="ESP32" value={state.stats?.esp32_clients} />
              <Count title="Pages" value={state.stats?.frontend_clients} />
              <Count title="Subscribed" value={state.stats?.subscribers} />
              <Count title="All" value={state.stats?.total_clients} />
            </dl>
          </section>
        </div>
        <section className="card bench-log" aria-labelledby="log">
          <h2 id="log">Events</h2>
          <div className="bench-buttons">
            <button type="button" className="button" disabled={standing !== "connected" || state.subscribed} onClick={() => bench.ask(DOOR_EVENTS.FRONTEND_SUBSCRIBE_ALERTS)} data-testid="subscribe">
              {state.subscribed ? "Subscribed to alerts" : "Subscribe to alerts"}
            </button>
            <button type="button" className="button" disabled={standing !== "connected"} onClick={() => bench.ask(DOOR_EVENTS.FRONTEND_REQUEST_HISTORY, { limit: HISTORY_ROWS })} data-testid="history">
              Last {HISTORY_ROWS}
            </button>
            <button type="button" className="button" disabled={standing !== "connected"} onClick={() => bench.ask(DOOR_EVENTS.HEALTH_CHECK)} data-testid="health">
              Health
            </button>
            <button type="button" className="button button-quiet" onClick={() => bench.clear()}>
              Clear
            </button>
          </div>
          <ol className="events" data-testid="events">
            {state.entries.map((entry) => (
              <Line key={entry.id} entry={entry} />
            ))}
          </ol>
        </section>
      </div>
    </Frame>
  );
}

function Line({ entry }: { entry: Entry }) {
  return (
    <li className="event" data-bad={entry.bad}>
      <details>
        <summary>
          <time className="quiet">{new Date(entry.at).toLocaleTimeString()}</time>
          <span className="event-way">{entry.way}</span>
          <span className="event-name">{entry.event}</span>
          <code className="event-body">{entry.body}</code>
        </summary>
        <code className="event-whole">{entry.body}</code>
      </details>
    </li>
  );
}

function Trips({ title, trips }: { title: string; trips: RoundTrips }) {
  const ms = (value: number | null) => (value === null ? NO_VALUE : `${value.toFixed(1)} ms`);
  return (
    <tr>
      <th scope="row">{title}</th>
      <td>{ms(trips.last)}</td>
      <td>{ms(trips.median)}</td>
      <td>{ms(trips.worst)}</td>
    </tr>
  );
}

function Count({ title, value }: { title: string; value: number | undefined }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd>{value ?? NO_VALUE}</dd>
    </div>
  );
}
