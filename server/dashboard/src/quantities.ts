/** Which quantities belong to the room and which to the machine, and how each is told. */

import { QUANTITIES, type QualityState } from "./contract";
import { baseOf, duration, number, title } from "./format";

/** What a device measures of itself. */
const MACHINE = new Set([
  "cpu_temperature",
  "cpu_load",
  "memory_used",
  "disk_used",
  "uptime",
  "under_voltage",
  "under_voltage_seen",
  "throttled",
  "throttled_seen",
  "disk_written_per_day",
  "disk_wear",
  "disk_end_of_life",
]);
const FLAGS = new Set(["under_voltage", "under_voltage_seen", "throttled", "throttled_seen", "flameDetected"]);
const KNOWN = Object.keys(QUANTITIES);

/** Short names for the machine's strip, where space is scarce. */
const SHORT: Record<string, string> = {
  cpu_temperature: "CPU",
  cpu_load: "Load",
  memory_used: "Memory",
  disk_used: "Disk",
  under_voltage: "Under-voltage",
  throttled: "Throttled",
};

/** A short title. */
export function shortTitle(quantity: string): string {
  return SHORT[quantity] ?? title(quantity);
}

/** Whether the device measured this of itself. */
export function isMachine(quantity: string): boolean {
  return MACHINE.has(baseOf(quantity));
}

/** Quantities in the order of the contract's table, unknown ones after them by name. */
export function inOrder(quantities: readonly string[]): string[] {
  const rank = (quantity: string) => {
    const index = KNOWN.indexOf(baseOf(quantity));
    return index < 0 ? KNOWN.length : index;
  };
  return quantities.toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/** What is written for a value: its text and its unit apart, so that they can be set apart. */
export function told(quantity: string, value: number | null, unit: string): { text: string; unit: string } {
  if (value === null) return { text: number(quantity, null), unit: "" };
  if (quantity === "uptime") return { text: duration(value), unit: "" };
  if (FLAGS.has(quantity)) return { text: value ? "yes" : "no", unit: "" };
  return { text: number(quantity, value), unit: unit === "%RH" ? "%" : unit };
}

/** Whether a value is trouble in itself: a flag that is raised, or a machine that is about to stop. */
export function alarming(quantity: string, value: number | null): boolean {
  if (value === null) return false;
  if (FLAGS.has(quantity)) return value > 0;
  return (quantity === "cpu_temperature" && value >= 80) || (quantity === "disk_used" && value >= 95);
}

/** How a tile stands: what failed comes before what is merely old. */
export type TileState = "failed" | "stale" | "degraded" | "fresh";

/** The state of a tile. */
export function tileState(value: number | null, quality: QualityState | undefined, stale: boolean): TileState {
  if (value === null || quality === "failed") return "failed";
  if (stale) return "stale";
  return quality === "degraded" ? "degraded" : "fresh";
}
