/** What one chart shows: history loaded when it opens, live rounds added as they come. */

import type { ClientSensorData } from "../contract";
import { history, HttpError } from "../link/http";
import { instant } from "../state/instant";
import type { Store } from "../state/store";
import { fromHistory, NOTHING, since, withPoint, type Grain, type Series } from "./series";

export interface FeedOptions {
  device: string;
  quantities: readonly string[];
  rangeMs: number;
  /** How many points the history may have. */
  points: number;
  /** Seconds between rounds. */
  intervalS: number;
}

/** How the history stands. */
export type Loading = { state: "loading" } | { state: "loaded" } | { state: "failed"; message: string };

export class Feed {
  readonly grain: Grain;
  readonly #store: Store;
  readonly #options: FeedOptions;
  readonly #series = new Map<string, Series>();
  readonly #abort = new AbortController();
  readonly #unsubscribe: () => void;
  readonly #onLoading: (loading: Loading) => void;
  /** Rounds that came while the history was on its way. */
  #early: ClientSensorData[] | null = [];

  constructor(store: Store, options: FeedOptions, onLoading: (loading: Loading) => void) {
    this.#store = store;
    this.#options = options;
    this.#onLoading = onLoading;
    const bucketMs = options.rangeMs / options.points;
    this.grain = { bucketMs, gapMs: Math.max(2500 * options.intervalS, 2 * bucketMs) };
    this.#unsubscribe = store.onRound(options.device, (round) => {
      if (this.#early) this.#early.push(round);
      else this.#add(round);
    });
    void this.#load();
  }

  /** The series of each quantity, in the order they were asked for, cut to the range that ends at `now` (relay time). */
  series(now: number): Series[] {
    const from = now - this.#options.rangeMs - this.grain.gapMs;
    return this.#options.quantities.map((quantity) => {
      const cut = since(this.#series.get(quantity) ?? NOTHING, from);
      this.#series.set(quantity, cut);
      return cut;
    });
  }

  close(): void {
    this.#abort.abort();
    this.#unsubscribe();
  }

  async #load(): Promise<void> {
    const { device, quantities, rangeMs, points } = this.#options;
    this.#onLoading({ state: "loading" });
    const to = this.#now();
    const span = { from: to - rangeMs, to, points };
    const answers = await Promise.allSettled(
      quantities.map((quantity) => history(device, quantity, span, this.#abort.signal)),
    );
    if (this.#abort.signal.aborted) return;
    let trouble: string | null = null;
    for (const [index, answer] of answers.entries()) {
      const quantity = quantities[index] ?? "";
      if (answer.status === "fulfilled") this.#series.set(quantity, fromHistory(answer.value));
      // Not stored yet: there is no history to be missed.
      else if (answer.reason instanceof HttpError && answer.reason.code === "unknown_quantity") continue;
      else trouble ??= answer.reason instanceof Error ? answer.reason.message : String(answer.reason);
    }
    const early = this.#early ?? [];
    this.#early = null;
    for (const round of early) this.#add(round);
    this.#onLoading(trouble === null ? { state: "loaded" } : { state: "failed", message: trouble });
  }

  #add(round: ClientSensorData): void {
    const at = instant(round, this.#now());
    if (at < this.#now() - this.#options.rangeMs) return;
    for (const quantity of this.#options.quantities) {
      const value = round.data[quantity];
      if (value === undefined) continue;
      this.#series.set(quantity, withPoint(this.#series.get(quantity) ?? NOTHING, at, value, this.grain));
    }
  }

  #now(): number {
    return Date.now() + this.#store.get().skewMs;
  }
}
