/** What became of a command: the ask of this page together with the results of the relay. */

import type { CommandResult, CommandState } from "../contract";
import { epoch } from "../format";
import { words } from "../words";
import { slotKey, type Ask, type GroupAsk, type State } from "./model";

/** Results of this many commands are kept. */
const KEPT = 200;
/** The relay always ends a command; should its last word be lost all the same, the page stops waiting. */
export const GIVE_UP_MS = 60_000;

const FINAL: ReadonlySet<CommandState> = new Set(["verified", "expired", "refused", "superseded", "failed"]);
/** How far a command has come. A late frame never takes it back. */
const PROGRESS: readonly CommandState[] = ["queued", "sent", "accepted", "applied"];

export type Outcome =
  | { phase: "pending"; state: CommandState | "asking"; until: number | null }
  | { phase: "done"; ok: true; result: CommandResult }
  | { phase: "done"; ok: false; state: CommandState | null; code: string; message: string };

/** Whether a command state is one of the five that are final. */
export function isFinal(state: CommandState): boolean {
  return FINAL.has(state);
}

/** How far it has come: 0 (queued) to 3 (applied). */
export function progress(state: CommandState): number {
  return PROGRESS.indexOf(state);
}

/** The results with one more, the oldest commands forgotten. */
export function withResult(results: State["results"], result: CommandResult): State["results"] {
  const known = results[result.command];
  const before = known?.[result.device];
  // A late "sent" never takes back what came after it, and there is one final word.
  if (before && (isFinal(before.state) || (!isFinal(result.state) && progress(result.state) < progress(before.state)))) return results;
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
      : { phase: "done", ok: false, state: result.state, code: result.code, message: words(result.code, result.message) };
  }
  if (ask.refused) return { phase: "done", ok: false, state: null, ...ask.refused };
  if (isLate(ask.askedAt, result, now))
    return { phase: "done", ok: false, state: null, code: "no_answer", message: words("no_answer") };
  return { phase: "pending", state: result?.state ?? "asking", until: result ? epoch(result.expires_at) : null };
}

/** Whether nothing will come any more. What is queued may wait until it ends, and then for its answer. */
function isLate(askedAt: number, result: CommandResult | undefined, now: number): boolean {
  const end = result ? epoch(result.expires_at) : null;
  return now - Math.max(askedAt, end ?? 0) > GIVE_UP_MS;
}

export interface Tally {
  asked: number;
  done: number;
  /** Away: it waits for them. */
  queued: number;
  failed: { device: string; code: string; message: string }[];
  pending: boolean;
}

/** How far a command to many devices has come. */
export function tally(group: GroupAsk, results: State["results"], now: number): Tally {
  if (group.command === null) return { asked: 0, done: 0, queued: 0, failed: [], pending: group.refused === null };
  const finals = group.devices.map((device) => ({ device, result: results[group.command ?? ""]?.[device] }));
  const failed: Tally["failed"] = [];
  let done = 0;
  let queued = 0;
  let open = 0;
  for (const { device, result } of finals) {
    if (result?.state === "verified") done += 1;
    else if (result && isFinal(result.state))
      failed.push({ device, code: result.code, message: words(result.code, result.message) });
    else if (group.refused) failed.push({ device, ...group.refused });
    else if (isLate(group.askedAt, result, now)) failed.push({ device, code: "no_answer", message: words("no_answer") });
    else if (result?.state === "queued") queued += 1;
    else open += 1;
  }
  return { asked: group.devices.length, done, queued, failed, pending: open > 0 };
}

/** The newest ask at one part of one device. */
export function askAt(state: Pick<State, "asks">, device: string, slot: string): Ask | undefined {
  return state.asks[slotKey(device, slot)];
}
