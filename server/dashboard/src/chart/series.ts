/** What a chart draws, as data: history with live points added, gaps kept as gaps. All times are epoch ms. */

import type { History } from "../link/http";

export type Span = readonly [from: number, to: number];

/** One quantity's points by time. `low` and `high` are the extremes that a point stands for. */
export interface Series {
  readonly at: readonly number[];
  readonly value: readonly (number | null)[];
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
  /** Where nothing was recorded: no line may cross it. */
  readonly gaps: readonly Span[];
}

export const NOTHING: Series = { at: [], value: [], low: [], high: [], gaps: [] };

/** A series as the relay sent it. */
export function fromHistory({ points, gaps }: History): Series {
  return {
    at: points.map(([at]) => at),
    value: points.map(([, value]) => value),
    low: points.map(([, value, low]) => low ?? value),
    high: points.map(([, value, , high]) => high ?? value),
    gaps: gaps.map(([from, to]) => [from, to]),
  };
}

export interface Grain {
  /** Points closer than this to the one before are merged with it. */
  bucketMs: number;
  /** Points further apart than this have a gap between them. */
  gapMs: number;
}

/** The series with one more point. A late one goes where it belongs and closes the gap that it falls into. */
export function withPoint(series: Series, at: number, value: number | null, grain: Grain): Series {
  const last = series.at.at(-1);
  if (last !== undefined && at <= last) return inserted(series, at, value, grain);
  const index = series.at.length - 1;
  if (last !== undefined && Math.floor(last / grain.bucketMs) === Math.floor(at / grain.bucketMs))
    return merged(series, index, value);
  // A gap that the history left open at its end goes on to this point.
  const closed = series.gaps.filter(([, to]) => last === undefined || to <= last);
  const open = last !== undefined && at - last > grain.gapMs ? [[last, at] as const] : [];
  return spliced({ ...series, gaps: [...closed, ...open] }, series.at.length, at, value);
}

function inserted(series: Series, at: number, value: number | null, grain: Grain): Series {
  const index = series.at.findLastIndex((other) => other <= at);
  if (series.at[index] === at) return merged(series, index, value);
  const gaps = series.gaps
    .flatMap(([from, to]): Span[] => (from < at && at < to ? [[from, at], [at, to]] : [[from, to]]))
    .filter(([from, to]) => to - from > grain.gapMs || (from !== at && to !== at));
  return spliced({ ...series, gaps }, index + 1, at, value);
}

function merged(series: Series, index: number, value: number | null): Series {
  if (value === null) return series;
  const least = (a: number | null | undefined) => Math.min(a ?? value, value);
  const most = (a: number | null | undefined) => Math.max(a ?? value, value);
  return {
    ...series,
    value: series.value.with(index, value),
    low: series.low.with(index, least(series.low[index])),
    high: series.high.with(index, most(series.high[index])),
  };
}

function spliced(series: Series, index: number, at: number, value: number | null): Series {
  return {
    ...series,
    at: series.at.toSpliced(index, 0, at),
    value: series.value.toSpliced(index, 0, value),
    low: series.low.toSpliced(index, 0, value),
    high: series.high.toSpliced(index, 0, value),
  };
}

/** The series without what lies before `from`. */
export function since(series: Series, from: number): Series {
  const index = series.at.findIndex((at) => at >= from);
  const gaps = series.gaps.filter(([, to]) => to > from);
  if (index === 0) return gaps.length === series.gaps.length ? series : { ...series, gaps };
  const start = index < 0 ? series.at.length : index;
  const [at, value, low, high] = [series.at, series.value, series.low, series.high].map((all) => all.slice(start));
  return { at: at as number[], value: value ?? [], low: low ?? [], high: high ?? [], gaps };
}

/** A chart is never narrower than this part of its range. */
const NARROWEST = 1 / 8;

/**
 * Where the chart of a range begins. All of the range, but for a device that is newer than it: there is no gap before its
 * first reading, so an empty left side would say nothing, and the chart grows from that reading on.
 */
export function beginning(all: readonly Series[], now: number, rangeMs: number): number {
  const first = Math.min(...all.flatMap(({ at, gaps }) => [at[0] ?? Infinity, gaps[0]?.[0] ?? Infinity]));
  return Number.isFinite(first) ? Math.max(now - rangeMs, Math.min(first, now - rangeMs * NARROWEST)) : now - rangeMs;
}

/** Where none of the series has anything, up to `now`: what the chart hatches. */
export function commonGaps(all: readonly Series[], now: number, gapMs: number): Span[] {
  return all.map((one) => withOpenEnd(one, now, gapMs)).reduce<readonly Span[]>(intersect, all.length > 0 ? [ALWAYS] : []) as Span[];
}

const ALWAYS: Span = [-Infinity, Infinity];

function withOpenEnd({ at, gaps }: Series, now: number, gapMs: number): readonly Span[] {
  const last = at.at(-1);
  if (last === undefined) return [ALWAYS];
  return now - last > gapMs ? [...gaps.filter(([, to]) => to <= last), [last, now]] : gaps;
}

function intersect(some: readonly Span[], others: readonly Span[]): readonly Span[] {
  return some.flatMap(([a, b]) =>
    others.flatMap(([c, d]): Span[] => (Math.max(a, c) < Math.min(b, d) ? [[Math.max(a, c), Math.min(b, d)]] : [])),
  );
}

/** `[at, value, low, high]` as columns, with a null point inside every gap, so that a line breaks there. */
export function columns(series: Series): [number[], (number | null)[], (number | null)[], (number | null)[]] {
  const breaks = series.gaps.map(([from, to]) => ({ at: (from + to) / 2, index: -1 }));
  const rows = series.at.map((at, index) => ({ at, index }));
  const all = [...rows, ...breaks].toSorted((a, b) => a.at - b.at);
  const pick = (column: readonly (number | null)[]) => all.map(({ index }) => (index < 0 ? null : (column[index] ?? null)));
  return [all.map(({ at }) => at), pick(series.value), pick(series.low), pick(series.high)];
}
