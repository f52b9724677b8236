/** Drawing what is forecast: lighter, dashed and labelled, so that nobody takes it for measured. */

import type uPlot from "uplot";
import type { Ahead } from "./ahead";

interface Course {
  scale: string;
  colour: string;
  /** The newest measured value, from which the line goes on. */
  from: { at: number; value: number } | null;
  points: readonly Ahead[];
}

/** Draw the forecasts of all lines onto a chart, the label at the right of `now`. */
export function drawAhead(plot: uPlot, courses: readonly Course[], now: number, ink: string): void {
  const { ctx, bbox } = plot;
  const drawn = courses.filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { scale, colour, from, points } of drawn) {
    const start = from ? [{ at: from.at, value: from.value, low: from.value, high: from.value }] : [];
    const place = ({ at }: Ahead, value: number): [number, number] => [plot.valToPos(at, "x", true), plot.valToPos(value, scale, true)];
    const all = [...start, ...points];
    ctx.beginPath();
    for (const one of all) ctx.lineTo(...place(one, one.high));
    for (const one of all.toReversed()) ctx.lineTo(...place(one, one.low));
    ctx.closePath();
    ctx.globalAlpha = 0.13;
    ctx.fillStyle = colour;
    ctx.fill();
    ctx.beginPath();
    for (const one of all) ctx.lineTo(...place(one, one.value));
    ctx.globalAlpha = 0.75;
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.stroke();
  }
  const x = plot.valToPos(now, "x", true);
  ctx.globalAlpha = 1;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.lineWidth = devicePixelRatio;
  ctx.strokeStyle = ink;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.fillStyle = ink;
  ctx.font = `${11 * devicePixelRatio}px ${getComputedStyle(plot.root).fontFamily}`;
  ctx.textBaseline = "top";
  const wide = ctx.measureText("forecast").width;
  const room = bbox.left + bbox.width - x;
  ctx.textAlign = room > wide + 8 * devicePixelRatio ? "left" : "right";
  ctx.fillText("forecast", x + (ctx.textAlign === "left" ? 5 : -5) * devicePixelRatio, bbox.top + 2 * devicePixelRatio);
  ctx.restore();
}
