/** How values, ages and times are told. Pure, and the same in every component. */

import { QUANTITIES, type Quantity } from "./contract";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What is shown where there is no value: never a zero. */
export const NO_VALUE = "–";

/** What is measured, without the place: one that is measured in several has a label behind a dot, `temperature.attic`. */
export function baseOf(name: string): string {
  const base = name.slice(0, Math.max(0, name.lastIndexOf(".")));
  return QUANTITIES[name] || !QUANTITIES[base] ? name : base;
}

/** The quantity of that name, wherever it is measured. */
export function quantityOf(name: string): Quantity | undefined {
  return QUANTITIES[baseOf(name)];
}

/** A quantity's name for people, with the place it is measured at; an unknown one is told as it was sent. */
export function title(name: string): string {
  const quantity = quantityOf(name);
  if (!quantity) return sentence(name);
  return QUANTITIES[name] ? quantity.title : `${quantity.title}, ${name.slice(name.lastIndexOf(".") + 1).replaceAll("_", " ")}`;
}

/** `breath_light` as `Breath light`. */
export function sentence(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A value with the decimals of its quantity and a real minus sign. */
export function number(quantity: string, value: number | null): string {
  if (value === null) return NO_VALUE;
  const decimals = quantityOf(quantity)?.decimals;
  const text = decimals === undefined ? String(Number(value.toPrecision(6))) : value.toFixed(decimals);
  return text.replace(/^-(?=.*[1-9])/, "−").replace(/^-/, "");
}

/** A span in its two largest units: `42 s`, `3 min`, `2 h 05 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < MINUTE) return `${s} s`;
  if (s < HOUR) return `${Math.floor(s / MINUTE)} min`;
  if (s < DAY) return `${Math.floor(s / HOUR)} h ${String(Math.floor((s % HOUR) / MINUTE)).padStart(2, "0")} min`;
  return `${Math.floor(s / DAY)} d ${Math.floor((s % DAY) / HOUR)} h`;
}

/** How long ago: `just now`, `3 s ago`, `2 h 05 min ago`. */
export function ago(ms: number): string {
  return ms < 1000 ? "just now" : `${duration(ms / 1000)} ago`;
}

/** How fast the answer came: `23 ms`, `1.4 s`. */
export function latency(ms: number): string {
  return ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

const SHORT_CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

const LONG_DAY = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });

/** A number of things, its thousands apart: `12 480`. */
export function count(things: number): string {
  return String(things).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

const UNITS = ["", "KB", "MB", "GB"] as const;

/** A size in the unit that suits it: `800 bytes`, `1.2 MB`. */
export function bytes(size: number): string {
  if (size < 1000) return size === 1 ? "1 byte" : `${size} bytes`;
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log10(size) / 3));
  const value = size / 1000 ** step;
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[step]}`;
}

/** Hours, minutes and seconds of an instant. */
export function daytime(at: number): string {
  return CLOCK.format(at);
}

/** The day of an instant: `Today`, `Yesterday`, `Monday, 2 March`. `today` is the start of today. */
export function longDay(at: number, today: number): string {
  if (at >= today) return "Today";
  return at >= today - DAY * 1000 ? "Yesterday" : LONG_DAY.format(at);
}

/** Hours and minutes of an instant. */
export function clock(at: number): string {
  return SHORT_CLOCK.format(at);
}

/** Hours and minutes of an instant, with its date where that is not today. */
export function briefly(at: number, now: number): string {
  return new Date(at).toDateString() === new Date(now).toDateString() ? clock(at) : `${DATE.format(at)}, ${clock(at)}`;
}

/** The wall time of an instant, with its date where that is not today. */
export function moment(at: number, now: number): string {
  const then = new Date(at);
  const time = CLOCK.format(then);
  return then.toDateString() === new Date(now).toDateString() ? time : `${DATE.format(then)}, ${time}`;
}

/** Epoch milliseconds of a contract time stamp; null where there is none or it cannot be read. */
export function epoch(timestamp: string | null | undefined): number | null {
  const ms = timestamp ? Date.parse(timestamp) : NaN;
  return Number.isNaN(ms) ? null : ms;
}
