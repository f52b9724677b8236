/** How long to wait before the next try. */

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/**
 * The wait before try number `attempt` (from 0), in ms: doubling, at most 15 s, and spread by `random` (0 to 1) over its
 * second half, so that all the pages of a relay that comes back do not return in the same instant.
 */
export function waitMs(attempt: number, random: number): number {
  const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return Math.round(full / 2 + (full / 2) * random);
}
