/** How old a value is, and when it is too old to be believed. */

import type { Accessory, Device, Reading, State } from "./model";

/** A value is stale after this many of its own intervals. */
const INTERVALS = 2.5;
const DEFAULT_SAMPLE_S = 30;
const DEFAULT_STATUS_S = 10;

/**
 * The age of something in ms. The larger of two: by its own time stamp (a late backlog is old though it came just now)
 * and by its arrival (a sender whose clock runs ahead must not look fresh for ever).
 */
export function ageMs(at: number | null, arrivedAt: number, now: number, skewMs: number): number {
  const sinceArrival = now - arrivedAt;
  const sinceTaken = at === null ? 0 : now + skewMs - at;
  return Math.max(0, sinceArrival, sinceTaken);
}

/** When a reading becomes stale, in ms of age: by its own schedule where the relay told that, else by its device's interval. */
export function readingLimitMs(device: Pick<Device, "sampleIntervalS">, reading?: Pick<Reading, "staleAfterS">): number {
  return 1000 * (reading?.staleAfterS ?? INTERVALS * (device.sampleIntervalS ?? DEFAULT_SAMPLE_S));
}

/** When a reported state becomes stale, in ms of age. */
export function statusLimitMs(device: Pick<Device, "statusIntervalS">): number {
  return INTERVALS * 1000 * (device.statusIntervalS ?? DEFAULT_STATUS_S);
}

/** The age of a reading in ms. */
export function readingAgeMs(reading: Reading, now: number, skewMs: number): number {
  return ageMs(reading.takenAt, reading.arrivedAt, now, skewMs);
}

/** The age of a reported state in ms. */
export function reportAgeMs(accessory: Accessory, now: number, skewMs: number): number {
  return ageMs(accessory.reportedAt, accessory.arrivedAt, now, skewMs);
}

/** Whether what is shown may be old: the page is not connected, so nothing newer could have come. */
export function isCut(state: Pick<State, "link" | "ready">): boolean {
  return state.link.state !== "connected" || !state.ready;
}
