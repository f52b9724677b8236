import { useEffect, useRef, type KeyboardEvent } from "react";
import { moment, quantityOf, title } from "../format";
import { told } from "../quantities";
import { NO_INSIGHT } from "../state/model";
import { store } from "../state/store";
import { ahead, reachMs } from "./ahead";
import { Feed, type Loading } from "./feed";
import { Plot, type Crosshair } from "./plot";
import type { Range } from "./ranges";
import { beginning, commonGaps } from "./series";

/** A new round is drawn at once, but not more often than this. */
const LEAST_REDRAW_MS = 200;
/** How many points a key moves the crosshair. */
const STEPS: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -20, PageUp: 20 };

interface PlotProps {
  device: string;
  /** By blanks. */
  quantities: string;
  range: Range;
  intervalS: number;
  crosshair: Crosshair | null;
  onLoading: (loading: Loading) => void;
  onCrosshair: (crosshair: Crosshair | null) => void;
}

/** The drawing and what feeds it. The crosshair is a slider over time: the arrow keys move it, and its values are told. */
export function PlotArea({ device, quantities, range, intervalS, crosshair, onLoading, onCrosshair }: PlotProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);

  useEffect(() => {
    if (!host.current) return;
    const names = quantities.split(" ");
    const points = Math.min(800, Math.max(200, Math.round(host.current.clientWidth)));
    const drawing = new Plot(host.current, names, onCrosshair);
    plot.current = drawing;
    let waiting: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      waiting = undefined;
      if (document.hidden) return;
      const now = Date.now() + store.get().skewMs;
      const series = feed.series(now);
      const insight = store.get().devices[device]?.insight ?? NO_INSIGHT;
      const until = now + reachMs(range.ms);
      const forecast = names.map((name) => ahead(insight, name, now).filter(({ at }) => at <= until));
      drawing.draw(series, beginning(series, now, range.ms), now, commonGaps(series, now, feed.grain.gapMs), forecast);
    };
    const soon = () => {
      waiting ??= setTimeout(draw, LEAST_REDRAW_MS);
    };
    const feed = new Feed(store, { device, quantities: names, rangeMs: range.ms, points, intervalS }, (loading) => {
      onLoading(loading);
      soon();
    });
    const unsubscribe = store.onRound(device, soon);
    const ticking = setInterval(soon, Math.max(1000, range.ms / points));
    document.addEventListener("visibilitychange", soon);
    return () => {
      unsubscribe();
      clearInterval(ticking);
      clearTimeout(waiting);
      document.removeEventListener("visibilitychange", soon);
      feed.close();
      drawing.close();
      plot.current = null;
      onCrosshair(null);
    };
  }, [device, quantities, range, intervalS, onLoading, onCrosshair]);

  const onKey = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    plot.current?.step(step);
  };
  const names = quantities.split(" ");
  return (
    <div
      ref={host}
      className="plot"
      role="slider"
      tabIndex={0}
      aria-label={`${names.map(title).join(" and ")} of ${device}, last ${range.label}`}
      aria-valuemin={crosshair?.from ?? 0}
      aria-valuemax={crosshair?.to ?? 0}
      aria-valuenow={crosshair?.at ?? 0}
      aria-valuetext={crosshair ? spoken(names, crosshair) : "Arrow keys move along the line"}
      onKeyDown={onKey}
      onBlur={() => plot.current?.rest()}
    />
  );
}

/** A point in words: `12:03:11, Temperature 21.4 °C, Humidity 48.2 %`. */
function spoken(quantities: readonly string[], { at, to, values }: Crosshair): string {
  const parts = quantities.map((quantity, index) => {
    const { text, unit } = told(quantity, values[index] ?? null, quantityOf(quantity)?.unit ?? "");
    return `${title(quantity)} ${text} ${unit}`.trim();
  });
  return [moment(at, to), ...parts].join(", ");
}
