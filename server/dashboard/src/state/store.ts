/** The one store of the page: the reducer's state, who listens to it, and who wants each live round or piece of news. */

import { useSyncExternalStore } from "react";
import { EVENTS, type ClientSensorData } from "../contract";
import { EMPTY, type State } from "./model";
import { reduce, type Deed, type Told } from "./reduce";
import { Seen, type Keyed } from "./seen";

/** Frames that must not count twice. An accessory's frame is its whole state, so the newest is right however often it comes. */
const ONCE = new Set<string>([
  EVENTS.SENSOR_DATA_PUB_CLIENT,
  EVENTS.MOTION_PUB_CLIENT,
  EVENTS.MODEL_TRAIN_PUB_CLIENT,
]);

/** With a thousand devices there are hundreds of frames a second: what listens hears of them at most this often. */
const QUIET_MS = 40;

type Listener = () => void;
type RoundListener = (round: ClientSensorData) => void;

export class Store {
  #state: State = EMPTY;
  readonly #seen = new Seen();
  readonly #listeners = new Set<Listener>();
  readonly #rounds = new Map<string, Set<RoundListener>>();
  readonly #news = new Map<string, Set<Listener>>();
  readonly #clock: () => number;
  #resting: ReturnType<typeof setTimeout> | undefined;
  #owed = false;

  /** `clock` gives this machine's time in epoch ms. */
  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  readonly get = (): State => this.#state;

  readonly subscribe = (listener: Listener): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Take in what the relay told; a frame that was seen before changes nothing. */
  receive(told: Told): void {
    if (ONCE.has(told.event) && !this.#seen.admit(told.body as Keyed)) return;
    const before = this.#state;
    this.#set(reduce(before, told, this.#clock()));
    const device = newsOf(told, before);
    if (told.event === EVENTS.SNAPSHOT_PUB_CLIENT) for (const listeners of this.#news.values()) for (const listener of listeners) listener();
    if (device) for (const listener of this.#news.get(device) ?? []) listener();
    if (told.event === EVENTS.SENSOR_DATA_PUB_CLIENT && told.body.device)
      for (const listener of this.#rounds.get(told.body.device) ?? []) listener(told.body);
  }

  /** Something happened on the page itself. */
  act(deed: Deed): void {
    this.#set(reduce(this.#state, deed, this.#clock()));
    this.#flush();
  }

  /** Hear every new round of one device, in the order of arrival. */
  onRound(device: string, listener: RoundListener): () => void {
    const listeners = this.#rounds.get(device) ?? new Set();
    this.#rounds.set(device, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Hear that something happened at a device that its log tells of, or may have while the page was cut off. */
  onNews(device: string, listener: Listener): () => void {
    const listeners = this.#news.get(device) ?? new Set();
    this.#news.set(device, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  #set(state: State): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#owed = true;
    if (this.#resting !== undefined) return;
    this.#flush();
    this.#resting = setTimeout(() => {
      this.#resting = undefined;
      this.#flush();
    }, QUIET_MS);
  }

  #flush(): void {
    if (!this.#owed) return;
    this.#owed = false;
    for (const listener of this.#listeners) listener();
  }
}

/** The device whose log has one more line; null for what only says that all is as before. */
function newsOf({ event, body }: Told, before: State): string | null {
  switch (event) {
    case EVENTS.ACCESSORY_STATUS_PUB_CLIENT: {
      const known = before.devices[body.device ?? ""]?.accessories[body.accessory];
      return typeof body.id === "number" || known?.reported !== body.status ? (body.device ?? null) : null;
    }
    case EVENTS.MODEL_TRAIN_PUB_CLIENT:
      return body.phase === "progress" ? null : (body.device ?? null);
    case EVENTS.MOTION_PUB_CLIENT:
    case EVENTS.DEVICE_STATUS_PUB_CLIENT:
    case EVENTS.DEVICE_PROFILE_PUB_CLIENT:
    case EVENTS.COMMAND_RESULT_PUB_CLIENT:
    case EVENTS.ALERT_PUB_CLIENT:
      return body.device ?? null;
    default:
      return null;
  }
}

export const store = new Store();

/** A part of the state. `select` must return the same value while nothing it looks at has changed. */
export function useStore<T>(select: (state: State) => T): T {
  const get = () => select(store.get());
  return useSyncExternalStore(store.subscribe, get, get);
}
