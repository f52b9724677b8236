/** The relay's HTTP resources that the page uses. */

import type { Alert, AlertState, CommandResult, DeviceProfile, DeviceSnapshot } from "../contract";
import type { LogRecord } from "../why/record";
import { words } from "../words";

/** A refusal of the relay, or what stands for one where it did not answer. */
export class HttpError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One span of one quantity: `[epoch ms, value, lowest, highest]` by time, and of which times nothing is known. */
export interface History {
  unit: string;
  points: [at: number, value: number | null, low: number | null, high: number | null][];
  gaps: [from: number, to: number, cause?: string, reason?: string][];
}

async function ask(input: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(input, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new HttpError("unreachable", "The relay cannot be reached.");
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => null)) as { code?: string; message?: string } | null;
  const code = body?.code ?? `http_${response.status}`;
  throw new HttpError(code, body?.code ? words(code, body.message) : `The relay answered ${response.status}.`);
}

async function json<T>(path: string, method = "GET", body?: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  const response = await ask(path, body === undefined ? { method } : { method, headers, body: JSON.stringify(body) });
  return (response.status === 204 ? null : await response.json()) as T;
}

/** Change a token for the session cookie. Throws `HttpError`. */
export async function login(token: string): Promise<void> {
  const headers = { "Content-Type": "application/json" };
  await ask("/api/session", { method: "POST", headers, body: JSON.stringify({ token }) });
}

/** Give the session back. Throws `HttpError`. */
export async function logout(): Promise<void> {
  await ask("/api/session", { method: "DELETE" });
}

/** All that is known of one device. Throws `HttpError`. */
export async function device(name: string): Promise<DeviceSnapshot> {
  return json(devicePath(name));
}

/** The newest result of a command at each of its devices. Throws `HttpError`. */
export async function commandResults(command: string): Promise<CommandResult[]> {
  const body = await json<{ results?: CommandResult[] }>(`/api/commands/${encodeURIComponent(command)}`);
  return body.results ?? [];
}

/** One page of something, newest first; `before` is what the page after it is asked for with, null at the end. */
export interface Page<T> {
  items: readonly T[];
  before: string | null;
}

/** Alerts of a state, newest first. Throws `HttpError`. */
export async function alerts(state: AlertState, limit: number, before: string | null): Promise<Page<Alert>> {
  const body = await json<{ alerts: Alert[]; before?: number | null }>(`/api/alerts?${paging(limit, before)}&state=${state}`);
  return { items: body.alerts, before: typeof body.before === "number" ? String(body.before) : null };
}

/** Acknowledge or close an alert; the answer is how it stands now. Throws `HttpError`. */
export async function settle(alert: string, deed: "acknowledge" | "close"): Promise<Alert> {
  return json(`/api/alerts/${encodeURIComponent(alert)}/${deed}`, "POST", {});
}

/** A connection that does not take what is sent to it. */
export interface SlowConnection {
  name: string;
  address: string;
  doors: readonly string[];
  transport: "websocket" | "polling";
  since: string;
  waiting_events: number;
  waiting_bytes: number;
  dropped: number;
  conflated: number;
}

/** Who keeps up with what is sent, and who does not; the totals count since the relay was started. */
export interface Connections {
  connections: number;
  behind: readonly SlowConnection[];
  dropped: number;
  conflated: number;
  notices: number;
  closed: number;
  bound_events: number;
  bound_bytes: number;
}

/** How the relay's connections stand. Throws `HttpError`. */
export async function connections(): Promise<Connections> {
  return json("/api/connections");
}

/** What people may say of a device; what is left out stays as it is. */
export type ProfileChange = Partial<Pick<DeviceProfile, "title" | "place" | "tags" | "time_zone" | "calibration" | "retired">>;

/** Change what people say of a device. Throws `HttpError`. */
export async function changeProfile(name: string, change: ProfileChange): Promise<void> {
  await json(devicePath(name), "PATCH", change);
}

/** Let what a device has recorded go on under another one, and forget the first. Throws `HttpError`. */
export async function replaceDevice(old: string, by: string): Promise<void> {
  await json(`${devicePath(by)}/replace`, "POST", { old });
}

/** Delete a device with all that it has recorded. Throws `HttpError`. */
export async function deleteDevice(name: string): Promise<void> {
  await json(`${devicePath(name)}?confirm=${encodeURIComponent(name)}`, "DELETE");
}

/** What happened at a device, newest first. Throws `HttpError`. */
export async function deviceLog(name: string, kind: string, limit: number, before: string | null): Promise<Page<LogRecord>> {
  const kinds = kind === "" ? "" : `&kind=${encodeURIComponent(kind)}`;
  const body = await json<{ entries: LogRecord[]; before?: string | null }>(
    `${devicePath(name)}/log?${paging(limit, before)}${kinds}`,
  );
  return { items: body.entries, before: body.before ?? null };
}

function devicePath(name: string): string {
  return `/api/devices/${encodeURIComponent(name)}`;
}

function paging(limit: number, before: string | null): string {
  return new URLSearchParams({ limit: String(limit), ...(before === null ? {} : { before }) }).toString();
}

/** Readings between two instants (epoch ms), downsampled to about `points` with their extremes. Throws `HttpError`. */
export async function history(
  name: string,
  quantity: string,
  span: { from: number; to: number; points: number },
  signal: AbortSignal,
): Promise<History> {
  const response = await ask(`${readingsPath(name, "")}?${query([quantity], span)}&points=${span.points}`, { signal });
  return (await response.json()) as History;
}

/** Where readings are downloaded as they were taken, as one file. */
export function csvHref(name: string, quantities: readonly string[], span: { from: number; to: number }): string {
  return `${readingsPath(name, ".csv")}?${query(quantities, span)}`;
}

function readingsPath(name: string, suffix: string): string {
  return `${devicePath(name)}/readings${suffix}`;
}

function query(quantities: readonly string[], { from, to }: { from: number; to: number }): string {
  const iso = (ms: number) => new Date(ms).toISOString();
  const named = quantities.map((quantity): [string, string] => ["quantity", quantity]);
  return new URLSearchParams([...named, ["from", iso(from)], ["to", iso(to)]]).toString();
}
