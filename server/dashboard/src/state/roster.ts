/** The list of devices as people look through it: by name, group, place, and how they stand. */

import { nameOf, type State } from "./model";

/** One device, as far as finding it goes. */
export interface Row {
  name: string;
  title: string;
  place: string;
  tags: readonly string[];
  online: boolean;
  retired: boolean;
  /** It has something that can be switched. */
  switchable: boolean;
  /** Alerts that are not closed. */
  alerts: number;
}

/** Which devices are listed. Retired ones only where they are asked for. */
export type Show = "all" | "online" | "offline" | "alerts" | "retired";

export interface Filter {
  search: string;
  tag: string;
  place: string;
  show: Show;
}

export const EVERYTHING: Filter = { search: "", tag: "", place: "", show: "all" };

/** Every device as a row, by what people call it. */
export function rows(state: Pick<State, "devices" | "alerts">): Row[] {
  const alerts = new Map<string, number>();
  for (const { device } of Object.values(state.alerts)) if (device) alerts.set(device, (alerts.get(device) ?? 0) + 1);
  return Object.values(state.devices)
    .map((device) => ({
      name: device.name,
      title: nameOf(device),
      place: device.profile.place ?? "",
      tags: device.profile.tags,
      online: device.online,
      retired: device.profile.retired,
      switchable: Object.keys(device.infos).length + Object.keys(device.accessories).length > 0,
      alerts: alerts.get(device.name) ?? 0,
    }))
    .toSorted((a, b) => COLLATOR.compare(a.title, b.title) || COLLATOR.compare(a.name, b.name));
}

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** The rows that a filter lets through. Every word of the search must be in the name, title, place or a tag. */
export function found(all: readonly Row[], { search, tag, place, show }: Filter): Row[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((row) => {
    if (row.retired !== (show === "retired")) return false;
    if (show === "online" && !row.online) return false;
    if (show === "offline" && row.online) return false;
    if (show === "alerts" && row.alerts === 0) return false;
    if (tag !== "" && !row.tags.includes(tag)) return false;
    if (place !== "" && row.place !== place) return false;
    const texts = [row.name, row.title, row.place, ...row.tags].map((text) => text.toLowerCase());
    return words.every((word) => texts.some((text) => text.includes(word)));
  });
}

/** What there is to choose from, each once. */
export function choices(all: readonly Row[], of: (row: Row) => readonly string[]): string[] {
  return [...new Set(all.flatMap(of))].filter(Boolean).toSorted(COLLATOR.compare);
}
