/** The drawing: uPlot set up for lines with their extremes, two axes, hatched gaps and a crosshair. */

import uPlot from "uplot";
import { quantityOf } from "../format";
import type { Ahead } from "./ahead";
import { drawAhead } from "./draw-ahead";
import { axisOf } from "./ranges";
import { columns, type Series, type Span } from "./series";

/** Columns that one quantity takes in the chart's data: its value, its lowest, its highest. */
const WIDTH = 3;
/** The least height of an axis, in steps of the quantity's last decimal: noise must not look like weather. */
const LEAST_STEPS = 20;
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const TIME_S = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric" });

/** The point under the crosshair: its time and the chart's two ends (epoch ms), and each quantity's value. */
export interface Crosshair {
  at: number;
  from: number;
  to: number;
  values: readonly (number | null)[];
}

export class Plot {
  readonly #plot: uPlot;
  readonly #host: HTMLElement;
  readonly #quantities: readonly string[];
  readonly #onCrosshair: (crosshair: Crosshair | null) => void;
  readonly #resizer: ResizeObserver;
  #gaps: readonly Span[] = [];
  #now = 0;
  /** Of each quantity: what is forecast, and the newest value before it. */
  #forecast: readonly Ahead[][] = [];
  #last: readonly ({ at: number; value: number } | null)[] = [];
  /** The instant that the keys have moved the crosshair to: it stays there while the chart moves on. */
  #pinned: number | null = null;

  constructor(host: HTMLElement, quantities: readonly string[], onCrosshair: (crosshair: Crosshair | null) => void) {
    this.#host = host;
    this.#quantities = quantities;
    this.#onCrosshair = onCrosshair;
    this.#plot = new uPlot(this.#options(), emptyData(quantities), host);
    this.#resizer = new ResizeObserver(() => {
      this.#plot.setSize({ width: host.clientWidth, height: host.clientHeight });
    });
    this.#resizer.observe(host);
    this.#plot.over.addEventListener("mousemove", () => {
      this.#pinned = null;
    });
  }

  /** Draw `series` (one per quantity) from `from` to `now` in epoch ms, with `gaps` hatched, and beyond it what is forecast of each. */
  draw(series: readonly Series[], from: number, now: number, gaps: readonly Span[], forecast: readonly Ahead[][] = []): void {
    this.#gaps = gaps;
    this.#now = now;
    this.#forecast = forecast;
    this.#last = series.map(({ at, value }) => {
      const index = value.findLastIndex((one) => one !== null);
      return index < 0 ? null : { at: at[index] ?? now, value: value[index] ?? 0 };
    });
    const to = Math.max(now, ...forecast.flatMap((points) => points.map(({ at }) => at)));
    const tables = series.map((one) => columns(one) as uPlot.AlignedData);
    this.#plot.batch(() => {
      this.#plot.setData(tables.length > 0 ? uPlot.join(tables) : emptyData(this.#quantities), false);
      this.#plot.setScale("x", { min: from, max: to });
    });
    if (this.#pinned !== null) this.#point(this.#pinned);
  }

  /** Move the crosshair by some points, as the arrow keys do. */
  step(points: number): void {
    const { data, cursor } = this.#plot;
    const last = data[0].length - 1;
    if (last < 0) return;
    const index = Math.max(0, Math.min(last, (cursor.idx ?? last) + points));
    this.#pinned = data[0][index] ?? null;
    if (this.#pinned !== null) this.#point(this.#pinned);
  }

  /** Take the crosshair away. */
  rest(): void {
    this.#pinned = null;
    this.#plot.setCursor({ left: -10, top: -10 });
  }

  close(): void {
    this.#resizer.disconnect();
    this.#plot.destroy();
  }

  #point(at: number): void {
    this.#plot.setCursor({ left: Math.max(0, this.#plot.valToPos(at, "x")), top: 0 });
  }

  #options(): uPlot.Options {
    const ink = resolved(this.#host, "--muted");
    const line = resolved(this.#host, "--line");
    const units = [...new Set(this.#quantities.map(axisOf))];
    const colours = this.#quantities.map((quantity) => resolved(this.#host, colourName(quantity, this.#quantities)));
    const font = `11px ${getComputedStyle(this.#host).fontFamily}`;
    return {
      width: Math.max(1, this.#host.clientWidth),
      height: Math.max(1, this.#host.clientHeight),
      ms: 1,
      padding: [8, units.length > 1 ? 0 : 12, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        points: { size: (_, index) => (index % WIDTH === 1 ? 8 : 0), width: 2, stroke: resolved(this.#host, "--surface") },
      },
      scales: {
        x: { time: true },
        ...Object.fromEntries(units.map((unit) => [unit, { range: rangeFor(this.#quantities, unit, () => this.#foretold(unit)) }])),
      },
      axes: [
        {
          stroke: ink,
          font,
          size: 28,
          gap: 6,
          space: 72,
          grid: { stroke: line, width: 1 },
          ticks: { show: false },
          values: (_, splits, __, ___, step) => splits.map((at) => clock(at, step)),
        },
        ...units.map((unit, index) => ({
          scale: unit,
          side: index === 0 ? (3 as const) : (1 as const),
          // An axis in the colour of its line, where it has one line and there is another axis.
          stroke: units.length > 1 && this.#onAxis(unit).length === 1 ? (colours[this.#onAxis(unit)[0] ?? 0] ?? ink) : ink,
          font,
          size: 44,
          gap: 6,
          space: 40,
          grid: { show: index === 0, stroke: line, width: 1 },
          ticks: { show: false },
          values: (plot: uPlot, splits: number[]) => (this.#isBlank(plot, unit) ? splits.map(() => "") : plainly(splits)),
        })),
      ],
      series: [
        {},
        ...this.#quantities.flatMap((quantity, index): uPlot.Series[] => [
          { scale: axisOf(quantity), stroke: colours[index] ?? ink, width: 1.75, points: { show: loneliest } },
          { scale: axisOf(quantity), points: { show: false } },
          { scale: axisOf(quantity), points: { show: false } },
        ]),
      ],
      bands: this.#quantities.map((_, index) => ({
        series: [index * WIDTH + 3, index * WIDTH + 2],
        fill: translucent(colours[index] ?? ink),
      })),
      hooks: {
        drawClear: [(plot) => this.#hatch(plot, line)],
        draw: [(plot) => this.#drawForecast(plot, colours, ink)],
        setCursor: [(plot) => this.#told(plot)],
      },
    };
  }

  /** An axis without a value has nothing to label. */
  #isBlank(plot: uPlot, unit: string): boolean {
    return !this.#onAxis(unit).some((index) => plot.data[index * WIDTH + 1]?.some((value) => typeof value === "number"));
  }

  /** Which lines an axis has, by their place. */
  #onAxis(unit: string): number[] {
    return this.#quantities.flatMap((quantity, index) => (axisOf(quantity) === unit ? [index] : []));
  }

  /** Where nothing was recorded the ground is hatched: an empty span must not look like a calm one. */
  #hatch(plot: uPlot, colour: string): void {
    const { ctx, bbox } = plot;
    const step = 7 * devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.lineWidth = devicePixelRatio;
    for (const [from, to] of this.#gaps) {
      const left = Math.max(bbox.left, finite(plot.valToPos(from, "x", true), bbox.left));
      const right = Math.min(bbox.left + bbox.width, finite(plot.valToPos(to, "x", true), bbox.left + bbox.width));
      if (right - left < 2) continue;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, right - left, bbox.height);
      ctx.clip();
      ctx.beginPath();
      for (let x = left - bbox.height - (left % step); x < right; x += step) {
        ctx.moveTo(x, bbox.top + bbox.height);
        ctx.lineTo(x + bbox.height, bbox.top);
      }
      ctx.stroke();
      ctx.restore();
    }
    ctx.restore();
  }

  /** The ends of all bands on one axis. */
  #foretold(unit: string): number[] {
    return this.#onAxis(unit).flatMap((index) => (this.#forecast[index] ?? []).flatMap(({ low, high }) => [low, high]));
  }

  #drawForecast(plot: uPlot, colours: readonly string[], ink: string): void {
    const courses = this.#quantities.map((quantity, index) => ({
      scale: axisOf(quantity),
      colour: colours[index] ?? ink,
      from: this.#last[index] ?? null,
      points: this.#forecast[index] ?? [],
    }));
    drawAhead(plot, courses, this.#now, ink);
  }

  #told(plot: uPlot): void {
    const index = plot.cursor.idx;
    const at = index === null || index === undefined ? undefined : plot.data[0][index];
    if (at === undefined || (plot.cursor.left ?? -1) < 0) return this.#onCrosshair(null);
    const values = this.#quantities.map((_, which) => {
      const own = plot.cursor.idxs?.[which * WIDTH + 1];
      return (own === null || own === undefined ? null : plot.data[which * WIDTH + 1]?.[own]) ?? null;
    });
    const { min, max } = plot.scales["x"] ?? {};
    this.#onCrosshair({ at, from: min ?? at, to: max ?? at, values });
  }
}

/** The CSS variable of a quantity's colour: its own, or one of four by its place. */
export function colourName(quantity: string, among: readonly string[]): string {
  if (quantity === "temperature" || quantity === "humidity") return `--q-${quantity}`;
  return `--q-${(among.filter((one) => one !== "temperature" && one !== "humidity").indexOf(quantity) % 4) + 1}`;
}

function emptyData(quantities: readonly string[]): uPlot.AlignedData {
  return [[], ...quantities.flatMap(() => [[], [], []])] as uPlot.AlignedData;
}

/** An axis with room around the line, and never so close that noise fills it. */
function rangeFor(quantities: readonly string[], unit: string, foretold: () => readonly number[]): uPlot.Scale.Range {
  const decimals = quantities.filter((one) => axisOf(one) === unit).map((one) => quantityOf(one)?.decimals ?? 1);
  const least = LEAST_STEPS * 10 ** -Math.min(...decimals);
  return (_, lowest, highest) => {
    if (lowest === null || highest === null || !Number.isFinite(lowest) || !Number.isFinite(highest)) return [0, 1];
    const [low, high] = [Math.min(lowest, ...foretold()), Math.max(highest, ...foretold())];
    const room = Math.max((high - low) * 0.12, (least - (high - low)) / 2);
    return [low - room, high + room];
  };
}

/** A single point between two gaps has no line to be seen by. */
function loneliest(plot: uPlot, index: number): boolean {
  return (plot.data[index] ?? []).filter((value) => value !== null && value !== undefined).length < 2;
}

/** Numbers of an axis, all with the decimals that the finest of them needs. */
function plainly(splits: readonly number[]): string[] {
  const decimals = Math.max(0, ...splits.map((value) => String(Number(value.toFixed(3))).split(".")[1]?.length ?? 0));
  return splits.map((value) => value.toFixed(decimals).replace("-", "−"));
}

/** Axis labels by step: seconds, minutes or days. */
function clock(at: number, stepMs: number): string {
  if (stepMs < 60_000) return TIME_S.format(at);
  return stepMs >= 86_400_000 ? DAY.format(at) : TIME.format(at);
}

function finite(value: number, otherwise: number): number {
  return Number.isFinite(value) ? value : otherwise;
}

/** A CSS variable as the canvas can use it: `rgb(…)`, with the theme's choice made. */
function resolved(host: HTMLElement, variable: string): string {
  host.style.color = `var(${variable})`;
  const { color } = getComputedStyle(host);
  host.style.color = "";
  return color;
}

/** `rgb(…)` at a sixth of its strength. */
function translucent(colour: string): string {
  return colour.replace("rgb(", "rgba(").replace(")", ", 0.16)");
}
