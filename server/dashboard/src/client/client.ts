/**
 * A client of the relay for pages of one's own, without a framework: what is, what comes, what was, and commands to
 * their end. Served by the relay as /client.js; see docs/client-browser.md.
 */

import { io, type Socket } from "socket.io-client";
import {
  EVENTS,
  type AccessoryState,
  type Ack,
  type Alert,
  type ClientModelTrain,
  type ClientMotion,
  type ClientSensorData,
  type CommandRequest,
  type CommandResult,
  type DeviceProfile,
  type DeviceRemoved,
  type DeviceStatus,
  type ErrorBody,
  type Snapshot,
} from "../contract";
import { Gaps, type Frame } from "../state/gaps";
import { Seen, type Keyed } from "../state/seen";

/** What each event carries. */
export interface Bodies {
  [EVENTS.SNAPSHOT_PUB_CLIENT]: Snapshot;
  [EVENTS.SENSOR_DATA_PUB_CLIENT]: ClientSensorData;
  [EVENTS.ACCESSORY_STATUS_PUB_CLIENT]: AccessoryState;
  [EVENTS.MOTION_PUB_CLIENT]: ClientMotion;
  [EVENTS.MODEL_TRAIN_PUB_CLIENT]: ClientModelTrain;
  [EVENTS.DEVICE_STATUS_PUB_CLIENT]: DeviceStatus;
  [EVENTS.DEVICE_PROFILE_PUB_CLIENT]: DeviceProfile;
  [EVENTS.DEVICE_REMOVED_PUB_CLIENT]: DeviceRemoved;
  [EVENTS.ALERT_PUB_CLIENT]: Alert;
  [EVENTS.COMMAND_RESULT_PUB_CLIENT]: CommandResult;
  [EVENTS.ERROR_PUB]: ErrorBody;
}

/** Where the relay is, and who we are there. */
export interface Options {
  /** The relay's address; by default where this file came from. */
  url?: string;
  /** None in demo mode, or where the page has the relay's cookie. */
  token?: string;
  /** See this device alone. */
  device?: string;
  /** The `cursor` of before: what came after it is sent first. */
  since?: number;
}

/** One span of one quantity: `[epoch ms, mean, lowest, highest]`, and of which times nothing is known. */
export interface History {
  unit: string;
  points: [at: number, mean: number | null, low: number | null, high: number | null][];
  gaps: [from: number, to: number, cause?: string, reason?: string][];
}

/** What the relay refused, as a stable code and in words. `retry`: the same again may succeed. */
export class Refused extends Error {
  readonly code: string;
  readonly retry: boolean;

  constructor(code: string, message: string, retry = false) {
    super(message);
    this.code = code;
    this.retry = retry;
  }
}

/** The newest result at each device, by name. */
export type Results = Record<string, CommandResult>;

const NAMES = [
  EVENTS.SNAPSHOT_PUB_CLIENT,
  EVENTS.SENSOR_DATA_PUB_CLIENT,
  EVENTS.ACCESSORY_STATUS_PUB_CLIENT,
  EVENTS.MOTION_PUB_CLIENT,
  EVENTS.MODEL_TRAIN_PUB_CLIENT,
  EVENTS.DEVICE_STATUS_PUB_CLIENT,
  EVENTS.DEVICE_PROFILE_PUB_CLIENT,
  EVENTS.DEVICE_REMOVED_PUB_CLIENT,
  EVENTS.ALERT_PUB_CLIENT,
  EVENTS.COMMAND_RESULT_PUB_CLIENT,
  EVENTS.ERROR_PUB,
] as const satisfies readonly (keyof Bodies)[];
const FINAL: ReadonlySet<string> = new Set(["verified", "expired", "refused", "superseded", "failed"]);
const ACK_MS = 10_000;
/** A replay of a day takes its time. */
const REPLAY_MS = 60_000;
const TTL_MS = 10_000;
const PATIENCE_MS = 5_000;
const AGAIN_MS = 2_000;
const KEPT = 2_000;

interface Waiting {
  devices: readonly string[];
  settle: () => void;
}

/**
 * Connects, and again by itself when the relay was away; then it asks for what it missed, as it does when the relay left
 * something out because it was slow. Each event comes once, in order per device.
 */
export class RelayClient {
  readonly #url: string;
  readonly #token: string | undefined;
  readonly #socket: Socket;
  readonly #seen = new Seen();
  readonly #listeners = new Map<keyof Bodies, Set<(body: never) => void>>();
  readonly #results = new Map<string, CommandResult>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #gaps: Gaps<() => void>;
  #closed = false;
  #snapshot: PromiseWithResolvers<Snapshot> = resolvers();

  constructor({ url = new URL(/* @vite-ignore */ ".", import.meta.url).origin, token, device, since }: Options = {}) {
    this.#url = url.replace(/\/$/, "");
    this.#token = token;
    this.#gaps = new Gaps<() => void>(
      {
        ask: (missing) => this.#replay(missing),
        tell: (deliver) => deliver(),
        refused: ({ code, message }) => this.#deliver(EVENTS.ERROR_PUB, { code, message: message ?? "" }),
        giveUp: () => this.#socket.disconnect().connect(),
      },
      since,
    );
    this.#socket = io(`${this.#url}/client`, {
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 5_000,
      auth: (send) => send({ ...(token ? { token } : {}), ...(this.cursor === undefined ? {} : { since: this.cursor }) }),
      ...(device ? { query: { device } } : {}),
    });
    for (const name of NAMES) this.#socket.on(name, (body: unknown) => this.#take(name, body as never));
    this.#socket.on("connect", () => void this.#catchUp());
    this.#socket.on("disconnect", () => {
      this.#gaps.beginAnew();
      this.#later();
    });
    this.#socket.on("connect_error", (error) => this.#refused(error as Error & { data?: Ack }));
  }

  /** Whether the relay is there, as far as is known. */
  get connected(): boolean {
    return this.#socket.connected;
  }

  /** How far events have come; what the next visit gives as `since`. */
  get cursor(): number | undefined {
    return this.#gaps.cursor;
  }

  /** Hear of every event of one kind; call what is returned to stop. */
  on<Name extends keyof Bodies>(name: Name, listener: (body: Bodies[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener as (body: never) => void));
    return () => listeners.delete(listener as (body: never) => void);
  }

  /** What the relay knew when the last connection began. Throws `Refused` where it lets us not in. */
  snapshot(): Promise<Snapshot> {
    return this.#snapshot.promise;
  }

  /**
   * Give a command; the final result at each device, after the device has read its pin back. Devices of which nothing
   * final is known in time are left out. Throws `Refused`.
   */
  async command(request: CommandRequest): Promise<Results> {
    let ack: Ack;
    try {
      ack = (await this.#socket.timeout(ACK_MS).emitWithAck(EVENTS.COMMAND_REQUEST_CLIENT, request)) as Ack;
    } catch {
      throw new Refused("unavailable", "The relay did not answer; whether it took the command is not known.", true);
    }
    if (!ack.ok || !ack.command) throw new Refused(ack.code, ack.message ?? ack.code, ack.retry ?? false);
    return this.#final(ack.command, ack.devices ?? [], (request.ttl_s ?? 0) * 1000 || TTL_MS);
  }

  /** Readings between two moments, downsampled with their extremes kept; the last 24 hours unless said. Throws `Refused`. */
  async history(device: string, quantity: string, span: { from?: Date; to?: Date; points?: number } = {}): Promise<History> {
    const query = new URLSearchParams({ quantity, points: String(span.points ?? 400) });
    if (span.from) query.set("from", span.from.toISOString());
    if (span.to) query.set("to", span.to.toISOString());
    return this.#get<History>(`/api/devices/${encodeURIComponent(device)}/readings?${query}`);
  }

  /** End the connection for good. */
  close(): void {
    this.#closed = true;
    this.#socket.disconnect();
  }

  #take<Name extends keyof Bodies>(name: Name, body: Bodies[Name]): void {
    const { code, since } = body as Partial<ErrorBody>;
    if (name === EVENTS.ERROR_PUB && code === "missed" && typeof since === "number") this.#gaps.missed(since);
    else this.#gaps.take(body as Frame, () => this.#deliver(name, body));
    if (name === EVENTS.SNAPSHOT_PUB_CLIENT) this.#gaps.welcomed();
  }

  async #replay(since: number): Promise<Ack> {
    try {
      return (await this.#socket.timeout(REPLAY_MS).emitWithAck(EVENTS.REPLAY_REQUEST_CLIENT, { since })) as Ack;
    } catch {
      return { ok: false, code: "no_answer", retry: true };
    }
  }

  #deliver<Name extends keyof Bodies>(name: Name, body: Bodies[Name]): void {
    if (!this.#seen.admit(body as Keyed)) return;
    if (name === EVENTS.SNAPSHOT_PUB_CLIENT) {
      this.#snapshot.resolve(body as Snapshot);
      this.#snapshot = { ...resolvers<Snapshot>(), promise: Promise.resolve(body as Snapshot) };
    }
    if (name === EVENTS.COMMAND_RESULT_PUB_CLIENT) this.#know(body as CommandResult);
    for (const listener of this.#listeners.get(name) ?? []) (listener as (body: Bodies[Name]) => void)(body);
  }

  #know(result: CommandResult): void {
    const key = `${result.command}/${result.device}`;
    const known = this.#results.get(key);
    // An answer over HTTP may be older than what came live.
    if (known && FINAL.has(known.state)) return;
    this.#results.set(key, result);
    const oldest = this.#results.keys().next().value;
    if (this.#results.size > KEPT && oldest !== undefined) this.#results.delete(oldest);
    this.#waiting.get(result.command)?.settle();
  }

  #finals(command: string, devices: readonly string[]): Results {
    const found = devices.map((device): [string, CommandResult | undefined] => [device, this.#results.get(`${command}/${device}`)]);
    return Object.fromEntries(found.filter((pair): pair is [string, CommandResult] => !!pair[1] && FINAL.has(pair[1].state)));
  }

  #final(command: string, devices: readonly string[], ttlMs: number): Promise<Results> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(command);
        resolve(this.#finals(command, devices));
      };
      const timer = setTimeout(end, ttlMs + PATIENCE_MS);
      const settle = (): void => {
        if (Object.keys(this.#finals(command, devices)).length === devices.length) end();
      };
      this.#waiting.set(command, { devices, settle });
      settle();
    });
  }

  /** After a connection: what became of commands meanwhile. */
  async #catchUp(): Promise<void> {
    const ask = async (command: string): Promise<void> => {
      const record = await this.#get<{ results: CommandResult[] }>(`/api/commands/${encodeURIComponent(command)}`);
      for (const result of record.results) this.#know(result);
    };
    // Where one fails its time runs out, or the next connection asks again.
    await Promise.allSettled(Array.from(this.#waiting.keys(), ask));
  }

  #later(): void {
    // The library does not come back by itself from what the relay has ended.
    if (!this.#closed && !this.#socket.active) setTimeout(() => this.#closed || this.#socket.connect(), AGAIN_MS);
  }

  #refused(error: Error & { data?: Ack }): void {
    if (this.#socket.active) return;
    const code = error.data?.code ?? "unavailable";
    if (error.data?.retry) return this.#later();
    this.#closed = true;
    this.#snapshot.reject(new Refused(code, error.data?.message ?? error.message));
  }

  async #get<T>(path: string): Promise<T> {
    let response: Response;
    try {
      response = await fetch(this.#url + path, { headers: this.#token ? { Authorization: `Bearer ${this.#token}` } : {} });
    } catch {
      throw new Refused("unavailable", "The relay cannot be reached.", true);
    }
    const body = (await response.json().catch(() => ({}))) as T & Partial<Ack>;
    if (!response.ok) throw new Refused(body.code ?? "unavailable", body.message ?? `HTTP ${response.status}`, body.retry ?? false);
    return body;
  }
}

/** Connect to a relay. */
export function connect(options: Options = {}): RelayClient {
  return new RelayClient(options);
}

function resolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: PromiseWithResolvers<T>["resolve"];
  let reject!: PromiseWithResolvers<T>["reject"];
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Nobody may be waiting for it.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
