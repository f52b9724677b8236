/** The one store of the page: the reducer's state, who listens to it, and who wants each live round. */

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

type Listener = () => void;
type RoundListener = (round: ClientSensorData) => void;

export class Store {
  #state: State = EMPTY;
  readonly #seen = new Seen();
  readonly #listeners = new Set<Listener>();
  readonly #rounds = new Map<string, Set<RoundListener>>();
  readonly #clock: () => number;

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
    this.#set(reduce(this.#state, told, this.#clock()));
    if (told.event === EVENTS.SENSOR_DATA_PUB_CLIENT && told.body.device)
      for (const listener of this.#rounds.get(told.body.device) ?? []) listener(told.body);
  }

  /** Something happened on the page itself. */
  act(deed: Deed): void {
    this.#set(reduce(this.#state, deed, this.#clock()));
  }

  /** Hear every new round of one device, in the order of arrival. */
  onRound(device: string, listener: RoundListener): () => void {
    const listeners = this.#rounds.get(device) ?? new Set();
    this.#rounds.set(device, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  #set(state: State): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

export const store = new Store();

/** A part of the state. `select` must return the same value while nothing it looks at has changed. */
export function useStore<T>(select: (state: State) => T): T {
  return useSyncExternalStore(store.subscribe, () => select(store.get()));
}
