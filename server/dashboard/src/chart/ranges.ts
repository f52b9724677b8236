/** The spans a chart can show, and what may share it. */

import { quantityOf } from "../format";

export const RANGES = [
  { name: "15m", label: "15 min", ms: 15 * 60_000 },
  { name: "1h", label: "1 h", ms: 3_600_000 },
  { name: "24h", label: "24 h", ms: 24 * 3_600_000 },
  { name: "7d", label: "7 d", ms: 7 * 24 * 3_600_000 },
] as const;

export type Range = (typeof RANGES)[number];

/** A chart has two axes, left and right. */
const AXES = 2;
const LINES = 4;

/** What a chart shows at first: temperature and humidity, or else the first two there are. */
export function initialChoice(available: readonly string[]): string[] {
  const preferred = ["temperature", "humidity"].filter((quantity) => available.includes(quantity));
  return preferred.length > 0 ? preferred : available.slice(0, AXES);
}

/** The choice with `quantity` switched; the oldest lines go where there are too many, or no axis is left. */
export function switched(choice: readonly string[], quantity: string): string[] {
  if (choice.includes(quantity)) return choice.length > 1 ? choice.filter((one) => one !== quantity) : [...choice];
  const next = [...choice, quantity].slice(-LINES);
  while (new Set(next.map(axisOf)).size > AXES) next.shift();
  return next;
}

/** Quantities with the same unit share an axis; one without a unit has its own. */
export function axisOf(quantity: string): string {
  return quantityOf(quantity)?.unit || quantity;
}
