/** What rules found: alerts that are open, seen or closed. */

import type { Alert, Severity } from "../contract";
import { epoch } from "../format";
import { severityName } from "../words";
import { withLog } from "./change";
import type { State, Tone } from "./model";

/** Closed alerts that are kept of those that this page saw close. */
const KEPT = 50;
const URGENCY: Record<Severity, number> = { critical: 2, warning: 1, info: 0 };
const TONES: Record<Alert["state"], Tone> = { open: "bad", acknowledged: "plain", closed: "good" };

/** Alerts by their id, without the closed ones. */
export function opened(alerts: readonly Alert[]): State["alerts"] {
  return Object.fromEntries(alerts.filter(({ state }) => state !== "closed").map((alert) => [alert.alert, alert]));
}

/** An alert was opened, acknowledged or closed. `past`: it is older than the snapshot, which knows what is open. */
export function alertNews(state: State, body: Alert, past: boolean): State {
  if (past) return withEntry(state, body);
  const before = state.alerts[body.alert];
  const { [body.alert]: _, ...others } = state.alerts;
  const isClosed = body.state === "closed";
  // A frame that is sent again must not open what was closed since.
  if (!isClosed && state.closed.some((one) => one.alert === body.alert)) return state;
  const next: State = {
    ...state,
    alerts: isClosed ? others : { ...others, [body.alert]: body },
    closed: isClosed ? [body, ...state.closed.filter((one) => one.alert !== body.alert)].slice(0, KEPT) : state.closed,
  };
  return before?.state === body.state ? next : withEntry(next, body);
}

function withEntry(state: State, body: Alert): State {
  return withLog(state, {
    key: `alert/${body.alert}/${body.state}`,
    at: epoch(at(body)) ?? 0,
    kind: "alert",
    tone: TONES[body.state],
    device: body.device ?? null,
    text: entryText(body),
  });
}

/** When an alert became what it is. */
export function at(alert: Alert): string {
  return (alert.state === "closed" ? alert.closed_at : alert.state === "acknowledged" ? alert.acknowledged_at : null) ?? alert.opened_at;
}

function entryText({ state, severity, message, acknowledged_by, closed_by }: Alert): string {
  if (state === "open") return `${severityName(severity)}: ${message}`;
  if (state === "acknowledged") return `Acknowledged${acknowledged_by ? ` by ${acknowledged_by}` : ""}: ${message}`;
  return `${closed_by ? `Closed by ${closed_by}` : "Over"}: ${message}`;
}

/** The most urgent first, then the newest. */
export function inUrgency(alerts: readonly Alert[]): Alert[] {
  return alerts.toSorted(
    (a, b) => URGENCY[b.severity] - URGENCY[a.severity] || b.opened_at.localeCompare(a.opened_at) || a.alert.localeCompare(b.alert),
  );
}

/** The alerts of one device (null: of the site) that are not closed, the most urgent first. */
export function alertsOf(state: Pick<State, "alerts">, device: string | null): Alert[] {
  return inUrgency(Object.values(state.alerts).filter((alert) => (alert.device ?? null) === device));
}

/** How many are open, and how urgent the worst of them is. */
export function standingAlerts(state: Pick<State, "alerts">): { open: number; worst: Severity | null } {
  const open = inUrgency(Object.values(state.alerts).filter((alert) => alert.state === "open"));
  return { open: open.length, worst: open[0]?.severity ?? null };
}
