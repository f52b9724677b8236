/**
 * Frames that the relay left out because this page was slow: asked for again, and put where they belong. While a replay
 * runs, what is new is held back: what comes again goes first. So every frame is told once, and in order.
 */

import type { Ack } from "../contract";
import type { Keyed } from "./seen";

const AGAIN_MS = 1_000;
/** Where more comes during one replay, the connection begins anew, from the cursor. */
const HELD = 10_000;

/** What a frame may carry. */
export interface Frame extends Keyed {
  cursor?: number | null;
  replayed?: boolean;
}

/** What is asked and told. */
export interface Ends<T> {
  /** Ask for what came after a cursor; the answer comes behind all of it. */
  ask: (since: number) => Promise<Ack>;
  /** One frame, in its order. */
  tell: (item: T) => void;
  /** The relay has no longer all of it. */
  refused: (ack: Ack) => void;
  /** Begin the connection anew. */
  giveUp: () => void;
}

export class Gaps<T> {
  /** Up to here nothing is missing. */
  cursor: number | undefined;
  readonly #ends: Ends<T>;
  readonly #held = new Map<string, { frame: Frame; item: T }>();
  #open = false;
  #again = false;
  /** What came while the page was away is being replayed, as on each connection, until its snapshot comes. */
  #welcome = true;
  #connection = 0;

  constructor(ends: Ends<T>, cursor?: number) {
    this.#ends = ends;
    this.cursor = cursor;
  }

  /** Something after a cursor was left out. */
  missed(since: number): void {
    this.cursor = Math.min(since, this.cursor ?? since);
    if (this.#open || this.#welcome) this.#open = this.#again = true;
    else void this.#heal();
  }

  /** The snapshot of a connection has come: what was left out before it is asked for. */
  welcomed(): void {
    this.#welcome = false;
    if (this.#open) void this.#heal();
  }

  /** A frame came: it is told now, or after what is missing. */
  take(frame: Frame, item: T): void {
    const key = keyOf(frame);
    if (this.#open && !frame.replayed && key !== null) {
      this.#held.set(key, { frame, item });
      if (this.#held.size > HELD) this.#ends.giveUp();
      return;
    }
    // After a gap in a replay, the next one brings the rest in its order.
    if (frame.replayed && this.#again) return;
    if (frame.replayed || !this.#open) this.#reached(frame.cursor);
    if (key !== null) this.#held.delete(key);
    this.#ends.tell(item);
  }

  /** The connection has ended: the next one brings all from the cursor on. */
  beginAnew(): void {
    this.#connection += 1;
    this.#open = this.#again = false;
    this.#welcome = true;
    this.#held.clear();
  }

  async #heal(): Promise<void> {
    const connection = this.#connection;
    this.#open = true;
    this.#again = false;
    const ack = await this.#ends.ask(this.cursor ?? 0);
    const later = !ack.ok && ack.retry;
    if (later) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    if (connection !== this.#connection) return;
    if (!ack.ok && !later) this.#ends.refused(ack);
    // A replay may have had gaps itself.
    if (later || this.#again) return this.#heal();
    this.#reached(ack.cursor);
    this.#open = false;
    const held = [...this.#held.values()];
    this.#held.clear();
    for (const { frame, item } of held) this.take(frame, item);
  }

  #reached(cursor: number | null | undefined): void {
    if (typeof cursor === "number") this.cursor = Math.max(this.cursor ?? 0, cursor);
  }
}

function keyOf({ device, stream, id }: Frame): string | null {
  return !device || !stream || id === null || id === undefined ? null : `${device}/${stream}/${id}`;
}
