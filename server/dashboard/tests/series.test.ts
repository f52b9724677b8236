import { describe, expect, test } from "vitest";
import { axisOf, initialChoice, switched } from "../src/chart/ranges";
import { beginning, columns, commonGaps, fromHistory, NOTHING, since, withPoint, type Grain, type Series } from "../src/chart/series";

const GRAIN: Grain = { bucketMs: 10, gapMs: 100 };
const build = (...points: [at: number, value: number | null][]): Series =>
  points.reduce<Series>((series, [at, value]) => withPoint(series, at, value, GRAIN), NOTHING);

test("history keeps its extremes and its gaps", () => {
  const series = fromHistory({ unit: "°C", points: [[0, 5, 4, 6], [50, null, null, null]], gaps: [[0, 50]] });
  expect(series).toEqual({ at: [0, 50], value: [5, null], low: [4, null], high: [6, null], gaps: [[0, 50]] });
});

describe("live points", () => {
  test("are appended in order", () => {
    expect(build([0, 1], [20, 2], [40, 3])).toMatchObject({ at: [0, 20, 40], value: [1, 2, 3], gaps: [] });
  });

  test("of one bucket are merged, their extremes kept", () => {
    const series = build([0, 5], [4, 9], [8, 2]);
    expect(series).toMatchObject({ at: [0], value: [2], low: [2], high: [9] });
  });

  test("after a silence leave a gap, never a line across it", () => {
    const series = build([0, 1], [500, 2]);
    expect(series.gaps).toEqual([[0, 500]]);
    expect(columns(series)).toEqual([[0, 250, 500], [1, null, 2], [1, null, 2], [1, null, 2]]);
  });

  test("that come late go where they belong and fill their gap", () => {
    const series = [50, 100, 150, 200, 250, 300, 350, 400, 450].reduce(
      (before, at) => withPoint(before, at, at, GRAIN),
      build([0, 1], [500, 2]),
    );
    expect(series.at).toEqual([0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500]);
    expect(series.gaps).toEqual([]);
  });

  test("that fill a gap only in part leave the rest of it", () => {
    expect(withPoint(build([0, 1], [500, 2]), 50, 3, GRAIN).gaps).toEqual([[50, 500]]);
  });

  test("continue a gap that the history left open at its end", () => {
    const series: Series = { at: [0], value: [1], low: [1], high: [1], gaps: [[0, 300]] };
    expect(withPoint(series, 400, 2, GRAIN).gaps).toEqual([[0, 400]]);
  });

  test("that are null break the line", () => {
    expect(columns(build([0, 1], [20, null], [40, 3]))[1]).toEqual([1, null, 3]);
  });

  test("in any order end as the same line", () => {
    const times = [0, 20, 40, 60, 80, 100, 120];
    const inOrder = build(...times.map((at): [number, number] => [at, at]));
    for (let shift = 1; shift < times.length; shift += 1) {
      const shuffled = times.map((_, index) => times[(index * shift) % times.length] ?? 0);
      if (new Set(shuffled).size < times.length) continue;
      const series = build(...shuffled.map((at): [number, number] => [at, at]));
      expect(series.at).toEqual(inOrder.at);
      expect(series.value).toEqual(inOrder.value);
      expect(series.gaps).toEqual([]);
    }
  });
});

test("what lies before the range is let go", () => {
  const series = build([0, 1], [20, 2], [40, 3]);
  expect(since(series, 20)).toMatchObject({ at: [20, 40], value: [2, 3] });
  expect(since(series, 99)).toMatchObject({ at: [], value: [] });
  expect(since(series, 0)).toBe(series);
});

describe("hatched spans", () => {
  test("are those where no line has anything", () => {
    const one = build([0, 1], [500, 2], [520, 2]);
    const other = build([0, 1], [200, 1], [520, 2]);
    expect(commonGaps([one, other], 530, 100)).toEqual([
      [0, 200],
      [200, 500],
    ]);
  });

  test("reach to now while nothing comes", () => {
    expect(commonGaps([build([0, 1])], 1000, 100)).toEqual([[0, 1000]]);
    expect(commonGaps([build([0, 1])], 50, 100)).toEqual([]);
  });

  test("cover a chart without any point, and none without a line", () => {
    expect(commonGaps([NOTHING], 0, 100)).toEqual([[-Infinity, Infinity]]);
    expect(commonGaps([], 0, 100)).toEqual([]);
  });
});

describe("where a chart begins", () => {
  const point = (at: number) => build([at, 1]);

  test("with its range, when there is something older", () => {
    expect(beginning([point(0)], 2000, 1000)).toBe(1000);
  });

  test("with its range, when nothing came for a while: the gap is part of the picture", () => {
    expect(beginning([{ ...point(1900), gaps: [[1000, 1900]] }], 2000, 1000)).toBe(1000);
  });

  test("with the first reading of a device that is new, but not too narrow", () => {
    expect(beginning([point(1500), point(1600)], 2000, 1000)).toBe(1500);
    expect(beginning([point(1990)], 2000, 1000)).toBe(1875);
  });

  test("with its range, when there is nothing at all", () => {
    expect(beginning([NOTHING], 2000, 1000)).toBe(1000);
    expect(beginning([], 2000, 1000)).toBe(1000);
  });
});

describe("what a chart shows", () => {
  test("is temperature and humidity at first, or the first two there are", () => {
    expect(initialChoice(["humidity", "uptime", "temperature"])).toEqual(["temperature", "humidity"]);
    expect(initialChoice(["cpu_load", "memory_used", "uptime"])).toEqual(["cpu_load", "memory_used"]);
    expect(initialChoice([])).toEqual([]);
  });

  test("has two axes: a third unit puts the oldest lines out, the same unit shares", () => {
    expect(switched(["temperature", "humidity"], "cpu_temperature")).toEqual(["temperature", "humidity", "cpu_temperature"]);
    expect(switched(["temperature", "humidity"], "uptime")).toEqual(["humidity", "uptime"]);
  });

  test("is never nothing", () => {
    expect(switched(["temperature"], "temperature")).toEqual(["temperature"]);
    expect(switched(["temperature", "humidity"], "temperature")).toEqual(["humidity"]);
  });

  test("a quantity without a unit has an axis of its own", () => {
    expect(axisOf("cpu_load")).not.toBe(axisOf("throttled"));
  });
});
