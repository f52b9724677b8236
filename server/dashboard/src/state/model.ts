/** What the page knows. All times are epoch milliseconds: the relay's clock where a field says "at", this machine's in `arrivedAt`. */

import type { Action, Cause, ClientModelTrain, CommandResult, Fault, Quality } from "../contract";

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
  good: { value: number; at: number } | null;
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
  cause: Cause | null;
  fault: Fault | null;
}

export interface Motion {
  motion: boolean;
  count: number;
  at: number;
}

export interface Device {
  name: string;
  online: boolean;
  since: number;
  /** Seconds between rounds: what the device said, else what is observed. */
  sampleIntervalS: number | null;
  statusIntervalS: number | null;
  simulated: boolean;
  tags: readonly string[];
  readings: Readonly<Record<string, Reading>>;
  accessories: Readonly<Record<string, Accessory>>;
  motion: Motion | null;
  training: ClientModelTrain | null;
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
}

/** A command to many devices, as one press of a button. */
export interface GroupAsk {
  local: string;
  label: string;
  askedAt: number;
  command: string | null;
  devices: readonly string[];
  refused: { code: string; message: string } | null;
}

export type LogKind = "command" | "motion" | "device" | "sensor" | "accessory" | "training" | "link" | "error";
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
  /** The newest cursor seen: a reconnect asks for what came after it. */
  cursor: number | null;
  /** The cursor of the last snapshot: what comes with a smaller one is older than the tiles. */
  snapshotCursor: number;
  devices: Readonly<Record<string, Device>>;
  asks: Readonly<Record<string, Ask>>;
  group: GroupAsk | null;
  /** Per command and device, the latest result. Bounded: the oldest commands go first. */
  results: Readonly<Record<string, Readonly<Record<string, CommandResult>>>>;
  log: readonly LogEntry[];
}

export const EMPTY: State = {
  link: { state: "connecting" },
  skewMs: 0,
  ready: false,
  joined: 0,
  role: null,
  demo: false,
  cursor: null,
  snapshotCursor: 0,
  devices: {},
  asks: {},
  group: null,
  results: {},
  log: [],
};

/** Where the ask of one part of one device is kept. */
export function slotKey(device: string, slot: string): string {
  return `${device}/${slot}`;
}
