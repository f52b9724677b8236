/** The forecast as a chart draws it: a dashed line and its band, from the newest value on. All times are epoch ms. */

import type { Insight } from "../state/model";

export interface Ahead {
  at: number;
  value: number;
  low: number;
  high: number;
}

/** A device tells a new forecast every ten minutes; one that is older than this is of another time. */
const STALE_MS = 25 * 60_000;
/** Spans that show what comes, and how far ahead. On a week an hour is nothing. */
const REACH: readonly { rangeMs: number; aheadMs: number }[] = [
  { rangeMs: 15 * 60_000, aheadMs: 10 * 60_000 },
  { rangeMs: 24 * 3_600_000, aheadMs: 60 * 60_000 },
];

/** How far beyond now a chart of this range goes when there is a forecast. */
export function reachMs(rangeMs: number): number {
  return REACH.find((one) => rangeMs <= one.rangeMs)?.aheadMs ?? 0;
}

/** The points of one quantity that are still to come, each with its time. */
export function ahead({ forecast, forecastAt }: Insight, quantity: string, now: number): Ahead[] {
  if (forecastAt === null || now - forecastAt > STALE_MS) return [];
  return forecast
    .filter((one) => one.quantity === quantity)
    .map(({ minutes, value, low, high }) => ({ at: forecastAt + minutes * 60_000, value, low, high }))
    .filter(({ at }) => at > now)
    .toSorted((a, b) => a.at - b.at);
}
