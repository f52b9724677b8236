/** One line of a device's log as the relay tells it, and what people read of it. */

import type { AccessoryState, Alert, ClientModelTrain, ClientMotion, CommandResult, DeviceStatus } from "../contract";
import { duration, epoch, latency, sentence, title } from "../format";
import { commandName } from "../state/log";
import type { Tone } from "../state/model";
import { isFinal } from "../state/commands";
import { trainingTold } from "../insight/words";
import { absenceName, causeName, endOf, severityName, stateName, whoName, words } from "../words";

/** What a line is about. */
export type LogKind = "state" | "command" | "availability" | "motion" | "training" | "alert" | "profile";

/** `at` is when it happened; the field of its kind's name holds the contract's own body. */
export interface LogRecord {
  at: string;
  kind: LogKind;
  state?: AccessoryState | null;
  command?: CommandResult | null;
  availability?: DeviceStatus | null;
  motion?: ClientMotion | null;
  training?: ClientModelTrain | null;
  alert?: Alert | null;
  profile?: { by?: string | null; change: Record<string, unknown> } | null;
}

export const KINDS: readonly { kind: LogKind; label: string }[] = [
  { kind: "state", label: "States" },
  { kind: "command", label: "Commands" },
  { kind: "availability", label: "Availability" },
  { kind: "motion", label: "Motion" },
  { kind: "training", label: "Training" },
  { kind: "alert", label: "Alerts" },
  { kind: "profile", label: "Edits" },
];

/** A line for people: what happened, why, and the code where it went wrong. */
export interface Line {
  tone: Tone;
  what: string;
  why: string;
  code: string | null;
  /** The command that it belongs to. */
  command: string | null;
}

const NOTHING = { why: "", code: null, command: null };

/** What a record says. `titleOf` tells what people call an accessory. */
export function lineOf(record: LogRecord, titleOf: (accessory: string) => string = sentence): Line {
  const { state, command, availability, motion, training, alert, profile } = record;
  if (state) return stateLine(state, titleOf);
  if (command) return commandLine(command, titleOf);
  if (availability) return availabilityLine(availability);
  if (motion) {
    const count = typeof motion.count === "number" && motion.count > 0 ? `${motion.count} since start` : "";
    return { ...NOTHING, tone: motion.motion ? "lit" : "plain", what: motion.motion ? "Motion" : "Motion ended", why: count };
  }
  if (training) return trainingLine(training);
  if (alert) return alertLine(alert);
  if (profile && "train" in profile.change)
    return { ...NOTHING, tone: "plain", what: "Training asked for", why: profile.by ? `by ${whoName(profile.by)}` : "" };
  if (profile) return { ...NOTHING, tone: "plain", what: `Edited: ${changes(profile.change)}`, why: profile.by ? `by ${profile.by}` : "" };
  return { ...NOTHING, tone: "plain", what: sentence(record.kind) };
}

function stateLine(state: AccessoryState, titleOf: (accessory: string) => string): Line {
  const fault = state.fault ?? null;
  return {
    tone: fault || state.cause === "local_fault" ? "bad" : "plain",
    what: `${titleOf(state.accessory)} is ${state.status ? "on" : "off"}`,
    why: [causeName(state.cause, state.by), fault?.message].filter(Boolean).join("; "),
    code: fault?.code ?? null,
    command: state.command ?? null,
  };
}

function commandLine(result: CommandResult, titleOf: (accessory: string) => string): Line {
  const name = commandName(result.action, result.accessory ? titleOf(result.accessory) : null);
  const by = result.by ? `asked by ${whoName(result.by)}` : "";
  const good = result.state === "verified";
  const speed = good && typeof result.elapsed_ms === "number" ? ` in ${latency(result.elapsed_ms)}` : "";
  const failed = isFinal(result.state) && !good;
  return {
    tone: good ? "good" : failed ? "bad" : "plain",
    what: `${name}: ${stateName(result.state)}${speed}`,
    why: [by, failed ? words(result.code, result.message) : ""].filter(Boolean).join("; "),
    code: failed ? result.code : null,
    command: result.command,
  };
}

function trainingLine(training: ClientModelTrain): Line {
  const { tone, what, why } = trainingTold(training);
  return { ...NOTHING, tone, what, why, code: training.reason ?? null, command: training.command ?? null };
}

function availabilityLine(status: DeviceStatus): Line {
  const why = [status.reason ? absenceName(status.reason) : "", status.flapping ? "it comes and goes" : ""].filter(Boolean).join("; ");
  return { ...NOTHING, tone: status.online ? "good" : "bad", what: status.online ? "Came online" : "Went offline", why };
}

/** An alert stands where it was opened, and says what has become of it since. */
function alertLine(alert: Alert): Line {
  const { state, severity, message, rule, opened_at, acknowledged_by, closed_at } = alert;
  const [from, to] = [epoch(opened_at), epoch(closed_at)];
  const span = from !== null && to !== null ? ` after ${duration((to - from) / 1000)}` : "";
  const end = state === "closed" ? `${endOf(alert)}${span}` : "still open";
  const seen = acknowledged_by ? `acknowledged by ${acknowledged_by}` : "";
  const why = [`rule ${rule}`, seen, end].filter(Boolean).join("; ");
  return { ...NOTHING, tone: state === "closed" ? "plain" : "bad", what: `${severityName(severity)}: ${message}`, why };
}

/** `title Kitchen, calibration of temperature −0.4`. */
function changes(change: Record<string, unknown>): string {
  return Object.entries(change)
    .map(([field, value]) => {
      if (value !== null && typeof value === "object" && !Array.isArray(value))
        return Object.entries(value).map(([name, one]) => `${sentence(field).toLowerCase()} of ${title(name).toLowerCase()} ${String(one)}`).join(", ");
      const text = Array.isArray(value) ? value.join(", ") : value === null || value === "" ? "none" : String(value);
      return `${field.replaceAll("_", " ")} ${text}`;
    })
    .join(", ");
}

/** What tells a record from all others. */
export function keyOf(record: LogRecord): string {
  const { state, command, motion, training, alert } = record;
  const own = command ? command.command : alert ? alert.alert : motion ? motion.id : training ? `${training.job ?? ""}/${training.phase ?? ""}` : state ? `${state.accessory}/${state.id ?? ""}/${state.command ?? ""}` : "";
  return `${record.kind}/${record.at}/${own}`;
}
