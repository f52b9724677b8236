import { describe, expect, it } from "vitest";
import { DIALS, measure, roundTrips } from "../src/doors/websocket-test/reading";

const START = { hr: 72, temp: 33.1, eda: 2.5 };

describe("the simulated ESP32", () => {
  it("measures just what its dials say when nothing varies", () => {
    expect(measure(START, null)).toEqual(START);
  });

  it("varies around its dials, and never beyond their ends", () => {
    for (const end of ["low", "high"] as const) {
      const at = Object.fromEntries(DIALS.map((dial) => [dial.name, dial[end]])) as typeof START;
      for (const random of [0, 0.25, 1]) {
        const reading = measure(at, () => random);
        for (const { name, low, high, sway } of DIALS) {
          expect(reading[name]).toBeGreaterThanOrEqual(low);
          expect(reading[name]).toBeLessThanOrEqual(high);
          expect(Math.abs(Number(reading[name]) - at[name])).toBeLessThanOrEqual(sway + 0.001);
        }
      }
    }
    expect(measure(START, () => 1)["hr"]).toBe(75);
  });

  it("tells its round trips in short", () => {
    expect(roundTrips([])).toEqual({ last: null, median: null, worst: null });
    expect(roundTrips([30, 10, 20])).toEqual({ last: 20, median: 20, worst: 30 });
  });
});
