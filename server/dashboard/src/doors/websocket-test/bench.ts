/** The test page's two connections, a page's and a simulated ESP32's, and what came and went on them. */

import type { Socket } from "socket.io-client";
import { DOOR_EVENTS, EVENTS, type ClientStats, type DataReceived, type StressPrediction } from "../../contract";
import { wire } from "../wire";
import { roundTrips, type Reading, type RoundTrips } from "./reading";

const KEPT_ENTRIES = 200;
const KEPT_TRIPS = 50;
const PING_MS = 2000;
const ACK_MS = 5000;
/** What comes without having been asked for, and would drown the rest. */
const LEFT_OUT: ReadonlySet<string> = new Set([DOOR_EVENTS.PONG, DOOR_EVENTS.TEMPERATURE]);

export interface Entry {
  id: number;
  at: number;
  /** From whom to whom. */
  way: string;
  event: string;
  body: string;
  bad: boolean;
}

export interface State {
  entries: readonly Entry[];
  stats: ClientStats | null;
  /** The page's ping, and a reading's way to the disk and back. */
  ping: RoundTrips;
  stored: RoundTrips;
  sent: number;
  taken: number;
  refused: number;
  prediction: StressPrediction | null;
  subscribed: boolean;
  /** The session's own token may not send readings: a device's is needed. */
  forbidden: boolean;
}

const EMPTY: State = {
  entries: [],
  stats: null,
  ping: roundTrips([]),
  stored: roundTrips([]),
  sent: 0,
  taken: 0,
  refused: 0,
  prediction: null,
  subscribed: false,
  forbidden: false,
};

export class Bench {
  readonly page: Socket = wire("frontend");
  #esp32: Socket = wire("esp32");
  #state = EMPTY;
  #pings: number[] = [];
  #trips: number[] = [];
  #entry = 0;
  readonly #listeners = new Set<() => void>();

  readonly get = (): State => this.#state;
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The simulated device's connection; another one after `reconnectWith`. */
  get esp32(): Socket {
    return this.#esp32;
  }

  start(): void {
    this.#listen(this.page, "page");
    this.page.on(DOOR_EVENTS.CLIENT_STATS, (stats: ClientStats) => this.#set({ stats }));
    // Who subscribed belongs to a connection; a new one has not.
    this.page.on("disconnect", () => this.#set({ subscribed: false }));
    this.#listen(this.#esp32, "esp32");
    this.page.connect();
    this.#esp32.connect();
    setInterval(() => void this.#ping(), PING_MS);
  }

  /** Connect the simulated device with a token of its own. */
  reconnectWith(token: string): void {
    this.#esp32.disconnect();
    this.#esp32 = wire("esp32", token);
    this.#listen(this.#esp32, "esp32");
    this.#esp32.connect();
    this.#set({ forbidden: false });
  }

  /** Send a reading, as it is: the relay checks it. */
  async send(reading: Reading): Promise<void> {
    const socket = this.#esp32;
    if (!socket.connected) return;
    const began = performance.now();
    this.#note("esp32 → relay", DOOR_EVENTS.ESP32_SENSOR_DATA, reading, false);
    this.#set({ sent: this.#state.sent + 1 });
    try {
      const told = (await socket.timeout(ACK_MS).emitWithAck(DOOR_EVENTS.ESP32_SENSOR_DATA, reading)) as DataReceived;
      if (told.status !== "success") return this.#set({ refused: this.#state.refused + 1, forbidden: told.code === "forbidden" });
      this.#trips = [...this.#trips, performance.now() - began].slice(-KEPT_TRIPS);
      const prediction = told.stress_prediction ?? null;
      this.#set({ taken: this.#state.taken + 1, stored: roundTrips(this.#trips), prediction });
    } catch {
      this.#note("relay → esp32", "(no answer)", `after ${ACK_MS / 1000} s`, true);
      this.#set({ refused: this.#state.refused + 1 });
    }
  }

  /** Ask for something as a page does. */
  ask(event: string, body: object = {}): void {
    this.#note("page → relay", event, body, false);
    this.page.emit(event, body);
  }

  clear(): void {
    this.#set({ entries: [] });
  }

  async #ping(): Promise<void> {
    if (!this.page.connected) return;
    const began = performance.now();
    try {
      await this.page.timeout(ACK_MS).emitWithAck(DOOR_EVENTS.PING, {});
      this.#pings = [...this.#pings, performance.now() - began].slice(-KEPT_TRIPS);
      this.#set({ ping: roundTrips(this.#pings) });
    } catch {
      // The link's standing says it already.
    }
  }

  #listen(socket: Socket, whose: "page" | "esp32"): void {
    socket.onAny((event: string, body: unknown) => {
      if (LEFT_OUT.has(event) || event === DOOR_EVENTS.CONNECTIONINFO) return;
      if (event === DOOR_EVENTS.ALERTS_SUBSCRIBED) this.#set({ subscribed: true });
      const bad = event === EVENTS.ERROR_PUB || event === DOOR_EVENTS.STRESS_ALERT || (body as { status?: string } | null)?.status === "error";
      this.#note(`relay → ${whose}`, event, body, bad);
    });
    const standing = (event: string, bad: boolean) => (why?: unknown) =>
      this.#note(whose, event, why instanceof Error ? why.message : typeof why === "string" ? why : "", bad);
    socket.on("connect", standing("(connected)", false));
    socket.on("disconnect", standing("(disconnected)", true));
    socket.on("connect_error", standing("(refused)", true));
  }

  #note(way: string, event: string, body: unknown, bad: boolean): void {
    const text = typeof body === "string" ? body : (JSON.stringify(body) ?? "");
    const entry = { id: ++this.#entry, at: Date.now(), way, event, body: text, bad };
    this.#set({ entries: [entry, ...this.#state.entries].slice(0, KEPT_ENTRIES) });
  }

  #set(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}
