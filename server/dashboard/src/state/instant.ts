/** When something happened, by a sender whose clock may not be set. All times are epoch ms of the relay's clock. */

import type { ClockStamp } from "../contract";
import { epoch } from "../format";

const DAY_MS = 86_400_000;

interface Stamped {
  taken_at?: string | null;
  clock?: ClockStamp | null;
}

/** Whether the sender's clock was set when it took this, or it has dated it again since. */
export function isDated({ clock }: Stamped): boolean {
  return !clock || clock.synchronised || clock.redated === true;
}

/**
 * The instant of a frame that arrives at `now`: what its sender wrote, never later than now. A clock that is not set and
 * is off by more than a day is not believed: then it is the arrival.
 */
export function instant(body: Stamped, now: number): number {
  const taken = epoch(body.taken_at);
  if (taken === null || (!isDated(body) && Math.abs(now - taken) > DAY_MS)) return now;
  return Math.min(taken, now);
}
