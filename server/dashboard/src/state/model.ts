/** What the page knows. All times are epoch milliseconds: the relay's clock where a field says "at", this machine's in `arrivedAt`. */

import { sentence } from "../format";
import type {
  Absence,
  AccessoryInfo,
  Action,
  Alert,
  Cause,
  ClientModelTrain,
  CommandResult,
  Fault,
  Forecast,
  KnownFinding,
  LightOptions,
  Quality,
} from "../contract";

/** How the page is connected. `lostAt` and `retryAt` are this machine's time; `retryAt` is null while a try is under way. */
export type Link =
  | { state: "connecting" }
  | { state: "connected" }
  | { state: "reconnecting"; lostAt: number; retryAt: number | null; why: string }
  | { state: "unauthenticated"; message: string };

/** The newest value of one quantity, and the last good one where that failed. */
export interface Reading {
  value: number | null;
  unit: string;
  /** Null where the sender's clock cannot be trusted: then only the arrival counts. */
  takenAt: number | null;
  arrivedAt: number;
  stream: string | null;
  id: number | null;
  quality: Quality | null;
  /** The last good value; the value itself is null where only its time is known. */
  good: { value: number | null; at: number } | null;
  /** By the schedule of its own sensor; null: by the device's interval. */
  staleAfterS: number | null;
  /** What the relay added to the sensor's value; null where that is not known. */
  offset: number | null;
}

/** The truths of one accessory: what was asked for, and what it reported. The third, the link, is the device's. */
export interface Accessory {
  /** Null: it has not reported yet. */
  reported: boolean | null;
  desired: boolean | null;
  reportedAt: number | null;
  arrivedAt: number;
  /** Brightness when it reported, 0 to 1. */
  level: number | null;
  /** How a breathing light breathes now. */
  light: LightOptions | null;
  /** When its lease ends, unless it is renewed. */
  leaseUntil: number | null;
  /** Since when it is so; null where this page has not seen it change. */
  since: number | null;
  cause: Cause | null;
  /** Who gave the command that made it so. */
  by: string | null;
  fault: Fault | null;
}

/** A device as people know it. */
export interface Profile {
  title: string | null;
  place: string | null;
  tags: readonly string[];
  timeZone: string | null;
  /** Added to every value of a quantity, in its unit. */
  calibration: Readonly<Record<string, number>>;
  retired: boolean;
}

export interface Motion {
  motion: boolean;
  count: number;
  at: number;
}

/** What a device makes of its readings. */
export interface Insight {
  findings: readonly KnownFinding[];
  forecast: readonly Forecast[];
  /** From when on the forecast's minutes count. */
  forecastAt: number | null;
  model: number | null;
  /** Per quantity how unusual a reading was, 0 to 1, and when. */
  scores: Readonly<Record<string, { score: number; at: number }>>;
}

export interface Device {
  name: string;
  online: boolean;
  since: number;
  /** Why it is offline. */
  reason: Absence | null;
  /** It comes and goes. */
  flapping: boolean;
  profile: Profile;
  /** Seconds between rounds: what the device said, else what is observed. */
  sampleIntervalS: number | null;
  statusIntervalS: number | null;
  simulated: boolean;
  /** What it says of its accessories, by name. */
  infos: Readonly<Record<string, AccessoryInfo>>;
  readings: Readonly<Record<string, Reading>>;
  accessories: Readonly<Record<string, Accessory>>;
  motion: Motion | null;
  training: ClientModelTrain | null;
  insight: Insight;
}

/** A command that was asked for, here or elsewhere, at one part of one device. */
export interface Ask {
  /** The page's own key, known before the relay has given the command an id. */
  local: string;
  device: string;
  /** An accessory, or `clean`. */
  slot: string;
  action: Action;
  askedAt: number;
  command: string | null;
  /** Why nothing will come of it: the relay refused it, or the connection was lost before the answer. */
  refused: { code: string; message: string } | null;
  /** False for a command of another page or program. */
  mine: boolean;
  /** Who asked, where that was elsewhere and is known. */
  by: string | null;
}

/** A command to many devices, as one press of a button. */
export interface GroupAsk {
  local: string;
  label: string;
  action: Action;
  slot: string;
  askedAt: number;
  command: string | null;
  devices: readonly string[];
  refused: { code: string; message: string } | null;
}

export type LogKind = "alert" | "command" | "motion" | "device" | "sensor" | "accessory" | "training" | "link" | "error";
export type Tone = "plain" | "good" | "bad" | "lit";

export interface LogEntry {
  key: string;
  at: number;
  kind: LogKind;
  tone: Tone;
  device: string | null;
  text: string;
}

export interface State {
  link: Link;
  /** Relay time minus this machine's time. */
  skewMs: number;
  /** False until the first snapshot. */
  ready: boolean;
  /** Counts snapshots: after each one, charts load their history again. */
  joined: number;
  role: string | null;
  demo: boolean;
  /** The cursor of the last snapshot: what comes with a smaller one is older than the tiles. */
  snapshotCursor: number;
  devices: Readonly<Record<string, Device>>;
  asks: Readonly<Record<string, Ask>>;
  group: GroupAsk | null;
  /** Per command and device, the latest result. Bounded: the oldest commands go first. */
  results: Readonly<Record<string, Readonly<Record<string, CommandResult>>>>;
  log: readonly LogEntry[];
  /** Alerts that are not closed, by their id. */
  alerts: Readonly<Record<string, Alert>>;
  /** Alerts that were closed while this page looked on, newest first. Bounded. */
  closed: readonly Alert[];
}

export const EMPTY: State = {
  link: { state: "connecting" },
  skewMs: 0,
  ready: false,
  joined: 0,
  role: null,
  demo: false,
  snapshotCursor: 0,
  devices: {},
  asks: {},
  group: null,
  results: {},
  log: [],
  alerts: {},
  closed: [],
};

/** What people know of a device that nobody has said anything of. */
export const UNKNOWN_PROFILE: Profile = {
  title: null,
  place: null,
  tags: [],
  timeZone: null,
  calibration: {},
  retired: false,
};

/** Nothing is known of what a device makes of its readings. */
export const NO_INSIGHT: Insight = { findings: [], forecast: [], forecastAt: null, model: null, scores: {} };

/** What people call a device. */
export function nameOf({ name, profile }: Pick<Device, "name" | "profile">): string {
  return profile.title ?? name;
}

/** What people call an accessory: `Fan`, `Breathing light`; of a device that says nothing of it, from its name. */
export function accessoryTitle(device: Pick<Device, "infos"> | undefined, accessory: string): string {
  return device?.infos[accessory]?.title ?? sentence(accessory);
}

/** Where the ask of one part of one device is kept. */
export function slotKey(device: string, slot: string): string {
  return `${device}/${slot}`;
}
