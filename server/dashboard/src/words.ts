/** The contract's words for people: codes, command states, causes, absences. What the relay says in words comes first. */

import type { Absence, Alert, Cause, CommandState, SafeState, Severity } from "./contract";

const CODES: Record<string, string> = {
  connection_lost: "The connection was lost before the answer came. The state shown is what the device last reported.",
  no_ack: "The relay did not take the command in time.",
  no_answer: "The device did not confirm in time; its state is what it last reported.",
  device_offline: "The device is not connected; nothing was sent.",
  forbidden: "Your token's role may not do this.",
  readback_differs: "The pin was driven, and reads back differently.",
  hardware_fault: "The part does not work.",
  interrupted: "The agent stopped in between; the state shown was read from the pin afterwards.",
  expired: "Its time ended before it could be carried out; nothing was switched.",
  superseded: "A newer command took its place.",
  retired: "The device is retired; it takes no commands.",
  queue_full: "The device has too many commands waiting.",
  unknown_accessory: "The device has no such accessory.",
  busy: "It trains already; this is the job that runs.",
  unknown_event: "The device has nothing to train.",
  unknown_alert: "The relay does not know this alert any more.",
  rate_limited: "Too many commands at once; try again in a moment.",
  conflict: "Somebody has changed it meanwhile.",
};

/** A code in words: what the relay said, else what the page knows about the code. */
export function words(code: string, message?: string | null): string {
  return message || CODES[code] || code.replaceAll("_", " ");
}

const STATES: Record<CommandState, string> = {
  queued: "queued",
  sent: "sent",
  accepted: "taken by the device",
  applied: "switched, not read back yet",
  verified: "confirmed",
  expired: "expired",
  refused: "refused",
  superseded: "superseded",
  failed: "failed",
};

/** Where a command stands. */
export function stateName(state: CommandState): string {
  return STATES[state];
}

/** Who asked: a token's name as it is, a rule's as `rule NAME`. */
export function whoName(by: string): string {
  return by.startsWith("rule:") ? `rule ${by.slice(5)}` : by;
}

/** Why a state is what it is; empty where the device did not say. `by`: whose command it was. */
export function causeName(cause: Cause | null | undefined, by?: string | null): string {
  switch (cause) {
    case "user":
      return by ? `by ${whoName(by)}` : "by a command";
    case "rule":
      return by ? `rule ${by.replace(/^rule:/, "")}` : "by a rule";
    case "clean":
      return by ? `everything was turned off by ${whoName(by)}` : "everything was turned off";
    case "lease":
      return "lease ended";
    case "local_fault":
      return "a fault on the device";
    case "restart":
      return "the device started or stopped";
    case undefined:
    case null:
      return "";
  }
}

const ABSENCES: Record<Absence, string> = {
  connection_lost: "the connection was lost",
  ended: "it was shut down",
  heartbeat_missed: "connected, but silent",
  relay_restarted: "not back since the relay was restarted",
};

/** Why a device is offline. */
export function absenceName(reason: Absence): string {
  return ABSENCES[reason];
}

/** What becomes of an accessory when nobody answers for it any more. */
export function safeName(safe: SafeState): string {
  return safe === "keep" ? "stays as it is" : safe;
}

const SEVERITIES: Record<Severity, string> = { critical: "Critical", warning: "Warning", info: "Info" };

/** How urgent an alert is. */
export function severityName(severity: Severity): string {
  return SEVERITIES[severity];
}

/** How a closed alert ended: by whom, or why by itself. */
export function endOf({ closed_by, closed_because }: Pick<Alert, "closed_by" | "closed_because">): string {
  if (closed_by) return `closed by ${whoName(closed_by)}`;
  return closed_because ? `over: ${closed_because}` : "over by itself";
}
