/** What became of a command: the ask of this page together with the results of the relay. */

import type { CommandResult, CommandState } from "../contract";
import { slotKey, type Ask, type GroupAsk, type State } from "./model";

/** Results of this many commands are kept. */
const KEPT = 200;
/** The relay always ends a command; should its last word be lost all the same, the page stops waiting. */
export const GIVE_UP_MS = 60_000;

const WORDS: Record<string, string> = {
  connection_lost: "The connection was lost before the answer came. The state shown is what the device last reported.",
  no_ack: "The relay did not take the command in time.",
  no_answer: "The device did not confirm in time; its state is what it last reported.",
  device_offline: "The device is not connected; nothing was sent.",
  forbidden: "Your token's role may not do this.",
};

export type Outcome =
  | { phase: "pending"; state: CommandState | "asking" }
  | { phase: "done"; ok: true; result: CommandResult }
  | { phase: "done"; ok: false; code: string; message: string };

/** Whether a command state is one of the five that are final. */
export function isFinal(state: CommandState): boolean {
  return state !== "sent" && state !== "accepted";
}

/** The results with one more, the oldest commands forgotten. */
export function withResult(results: State["results"], result: CommandResult): State["results"] {
  const known = results[result.command];
  const before = known?.[result.device];
  // A late "sent" never takes back a final word.
  if (before && isFinal(before.state) && !isFinal(result.state)) return results;
  const next = { ...results, [result.command]: { ...known, [result.device]: result } };
  if (!known) for (const command of Object.keys(next).slice(0, -KEPT)) delete next[command];
  return next;
}

/** What became of an ask. The relay's final word counts before anything that the page concluded by itself. */
export function outcome(ask: Ask, results: State["results"], now: number): Outcome {
  const result = ask.command === null ? undefined : results[ask.command]?.[ask.device];
  if (result && isFinal(result.state)) {
    return result.state === "verified"
      ? { phase: "done", ok: true, result }
      : { phase: "done", ok: false, code: result.code, message: words(result.code, result.message) };
  }
  if (ask.refused) return { phase: "done", ok: false, ...ask.refused };
  if (now - ask.askedAt > GIVE_UP_MS) return { phase: "done", ok: false, code: "no_answer", message: words("no_answer") };
  return { phase: "pending", state: result?.state ?? "asking" };
}

/** A code in words: what the relay said, else what the page knows about the code. */
export function words(code: string, message?: string | null): string {
  return message || WORDS[code] || code.replaceAll("_", " ");
}

export interface Tally {
  asked: number;
  done: number;
  failed: { device: string; code: string; message: string }[];
  pending: boolean;
}

/** How far a command to many devices has come. */
export function tally(group: GroupAsk, results: State["results"], now: number): Tally {
  if (group.command === null) return { asked: 0, done: 0, failed: [], pending: group.refused === null };
  const late = now - group.askedAt > GIVE_UP_MS || group.refused !== null;
  const finals = group.devices.map((device) => ({ device, result: results[group.command ?? ""]?.[device] }));
  const failed: Tally["failed"] = [];
  let done = 0;
  let open = 0;
  for (const { device, result } of finals) {
    if (result?.state === "verified") done += 1;
    else if (result && isFinal(result.state))
      failed.push({ device, code: result.code, message: words(result.code, result.message) });
    else if (late) failed.push({ device, code: "no_answer", message: words("no_answer") });
    else open += 1;
  }
  return { asked: group.devices.length, done, failed, pending: open > 0 };
}

/** The newest ask at one part of one device. */
export function askAt(state: Pick<State, "asks">, device: string, slot: string): Ask | undefined {
  return state.asks[slotKey(device, slot)];
}
