/** Pure: what the simulated ESP32 measures, and round trips in short. */

/** The body of a reading; it may be wrong on purpose. */
export type Reading = Record<string, number | string>;

export interface Dial {
  name: "hr" | "temp" | "eda";
  title: string;
  unit: string;
  low: number;
  high: number;
  step: number;
  start: number;
  /** How far one reading may be from the dial, when it varies. */
  sway: number;
}

export const DIALS: readonly Dial[] = [
  { name: "hr", title: "Heart rate", unit: "/min", low: 30, high: 220, step: 1, start: 72, sway: 3 },
  { name: "temp", title: "Skin temperature", unit: "°C", low: 15, high: 45, step: 0.1, start: 33.1, sway: 0.05 },
  { name: "eda", title: "Electrodermal activity", unit: "µS", low: 0.05, high: 20, step: 0.05, start: 2.5, sway: 0.15 },
];

/** A reading near `values`. `random` gives 0 to 1; null: just at them. */
export function measure(values: Record<Dial["name"], number>, random: (() => number) | null): Reading {
  const near = ({ name, low, high, sway }: Dial) => {
    const off = random === null ? 0 : (random() * 2 - 1) * sway;
    return [name, Number(Math.min(high, Math.max(low, values[name] + off)).toFixed(3))];
  };
  return Object.fromEntries(DIALS.map(near)) as Reading;
}

export interface RoundTrips {
  last: number | null;
  median: number | null;
  worst: number | null;
}

/** Round trips in ms, oldest first. */
export function roundTrips(trips: readonly number[]): RoundTrips {
  const sorted = trips.toSorted((one, other) => one - other);
  return { last: trips.at(-1) ?? null, median: sorted[Math.floor(sorted.length / 2)] ?? null, worst: sorted.at(-1) ?? null };
}
