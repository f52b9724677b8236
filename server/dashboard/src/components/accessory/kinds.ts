/** What an accessory is, and what people call it. */

import type { Device } from "../../state/model";

export type Kind = "breathing_light" | "infrared_watch" | "switch";

const LIGHT = "breath_light";
const INFRARED = "infrared_sensor";

/** What comes first in a row of accessories. */
const USUAL = [LIGHT, INFRARED];

/** The kind that a device says, else that the contract's own two are; whatever else there is can be switched. */
export function kindOf(device: Pick<Device, "infos">, accessory: string): Kind {
  const told = device.infos[accessory]?.kind;
  if (told === "breathing_light" || told === "infrared_watch" || told === "switch") return told;
  if (accessory === LIGHT) return "breathing_light";
  return accessory === INFRARED ? "infrared_watch" : "switch";
}

/** The accessories that were told or reported, the usual ones first. None: there is nothing to switch. */
export function accessoryNames(device: Pick<Device, "infos" | "accessories">): string[] {
  const known = [...new Set([...Object.keys(device.infos), ...Object.keys(device.accessories)])];
  return [...USUAL.filter((name) => known.includes(name)), ...known.filter((name) => !USUAL.includes(name)).toSorted()];
}

/** What it does, in a word: `On`, `Watching`, `Unknown`. */
export function stateWord(kind: Kind, reported: boolean | null): string {
  if (reported === null) return "Unknown";
  if (kind === "infrared_watch") return reported ? "Watching" : "Not watching";
  return reported ? "On" : "Off";
}
