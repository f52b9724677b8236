/** The relay's HTTP resources that the page uses. */

import type { CommandResult, DeviceSnapshot } from "../contract";

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
  throw new HttpError(body?.code ?? `http_${response.status}`, body?.message ?? `The relay answered ${response.status}.`);
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
  return (await (await ask(`/api/devices/${encodeURIComponent(name)}`)).json()) as DeviceSnapshot;
}

/** The newest result of a command at each of its devices. Throws `HttpError`. */
export async function commandResults(command: string): Promise<CommandResult[]> {
  const body = (await (await ask(`/api/commands/${encodeURIComponent(command)}`)).json()) as { results?: CommandResult[] };
  return body.results ?? [];
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
  return `/api/devices/${encodeURIComponent(name)}/readings${suffix}`;
}

function query(quantities: readonly string[], { from, to }: { from: number; to: number }): string {
  const iso = (ms: number) => new Date(ms).toISOString();
  const named = quantities.map((quantity): [string, string] => ["quantity", quantity]);
  return new URLSearchParams([...named, ["from", iso(from)], ["to", iso(to)]]).toString();
}
