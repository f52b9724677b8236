import { useEffect, useRef, useState, useSyncExternalStore, type FormEvent } from "react";
import { useStanding } from "../wire";
import type { Bench } from "./bench";
import { DIALS, measure, type Dial } from "./reading";

const PERIODS_S = [0.5, 1, 2, 5];
const START = Object.fromEntries(DIALS.map(({ name, start }) => [name, start])) as Record<Dial["name"], number>;
const LABELS: Record<string, string> = {
  normal: "Normal",
  mild_stress: "Mild stress",
  high_stress: "High stress",
  unknown: "Unknown",
};

/** An ESP32 with three dials. It sends when it is told to, or by itself. */
export function Simulator({ bench }: { bench: Bench }) {
  const state = useSyncExternalStore(bench.subscribe, bench.get);
  const socket = useSyncExternalStore(bench.subscribe, () => bench.esp32);
  const standing = useStanding(socket);
  const [values, setValues] = useState(START);
  const [name, setName] = useState("simulated-esp32");
  const [varies, setVaries] = useState(true);
  const [periodS, setPeriodS] = useState(1);
  const [running, setRunning] = useState(false);

  const send = (more: object = {}) =>
    void bench.send({ ...measure(values, varies ? Math.random : null), ...(name === "" ? {} : { device_id: name }), ...more });
  const latest = useRef(send);
  useEffect(() => {
    latest.current = send;
  });
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => latest.current(), periodS * 1000);
    return () => clearInterval(timer);
  }, [running, periodS]);

  const off = standing !== "connected";
  return (
    <section className="card" aria-labelledby="simulator">
      <h2 id="simulator">
        Simulated ESP32{" "}
        <span className="badge" data-testid="esp32-link">
          {off ? "offline" : "connected"}
        </span>
      </h2>
      {(standing === "unauthenticated" || state.forbidden) && <TokenField give={(token) => bench.reconnectWith(token)} />}
      {DIALS.map((dial) => (
        <label key={dial.name} className="slider">
          {dial.title}
          <output>
            {values[dial.name].toFixed(dial.step < 0.1 ? 2 : dial.step < 1 ? 1 : 0)} {dial.unit}
          </output>
          <input
            type="range"
            min={dial.low}
            max={dial.high}
            step={dial.step}
            value={values[dial.name]}
            onChange={(event) => setValues({ ...values, [dial.name]: Number(event.target.value) })}
            data-testid={`dial-${dial.name}`}
          />
        </label>
      ))}
      <label className="check">
        <input type="checkbox" checked={varies} onChange={(event) => setVaries(event.target.checked)} />
        Vary a little, as a wrist does
      </label>
      <div className="bench-fields">
        <label className="field">
          Device
          <input value={name} onChange={(event) => setName(event.target.value)} maxLength={63} />
        </label>
        <label className="field">
          Every
          <select value={periodS} onChange={(event) => setPeriodS(Number(event.target.value))}>
            {PERIODS_S.map((seconds) => (
              <option key={seconds} value={seconds}>
                {seconds} s
              </option>
            ))}
          </select>
        </label>
      </div>
      <div className="bench-buttons">
        <button type="button" className="button button-main" disabled={off && !running} onClick={() => setRunning(!running)} data-testid="auto">
          {running ? "Stop" : "Send by itself"}
        </button>
        <button type="button" className="button" disabled={off} onClick={() => send()} data-testid="send">
          Send once
        </button>
        <button type="button" className="button button-quiet" disabled={off} onClick={() => send({ hr: "fast" })} title="A heart rate that is no number" data-testid="send-bad">
          Send a bad one
        </button>
      </div>
      <dl className="counts" data-testid="sent">
        <div>
          <dt>Sent</dt>
          <dd>{state.sent}</dd>
        </div>
        <div>
          <dt>Stored</dt>
          <dd>{state.taken}</dd>
        </div>
        <div data-bad={state.refused > 0}>
          <dt>Refused</dt>
          <dd>{state.refused}</dd>
        </div>
      </dl>
      {state.prediction && (
        <p className="verdict" data-testid="prediction">
          <strong>{LABELS[state.prediction.label] ?? state.prediction.label}</strong>{" "}
          <span className="quiet">
            {state.prediction.reason ? state.prediction.reason.replaceAll("_", " ") : `${Math.round(state.prediction.confidence * 100)} % sure`}
          </span>
        </p>
      )}
    </section>
  );
}

/** Outside demo mode a reading needs a device's token; it is kept in this tab alone. */
function TokenField({ give }: { give: (token: string) => void }) {
  const [token, setToken] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    give(token.trim());
  };
  return (
    <form className="bench-fields" onSubmit={submit}>
      <label className="field">
        A device's token
        <input type="password" value={token} onChange={(event) => setToken(event.target.value)} autoComplete="off" required />
      </label>
      <button type="submit" className="button">
        Connect
      </button>
    </form>
  );
}
