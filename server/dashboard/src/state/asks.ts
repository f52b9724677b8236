/** Commands on their way: what was asked here or elsewhere, what the relay answered, what was lost with the connection. */

import type { Ack, CommandResult } from "../contract";
import { epoch } from "../format";
import { withLog } from "./change";
import { isFinal, outcome, withResult } from "./commands";
import { commandEntry, commandName } from "./log";
import { accessoryTitle, slotKey, type Ask, type Link, type State } from "./model";
import { words } from "../words";

/** More devices than this would push everything else out of the activity log. */
const CROWD = 5;

/** The relay's answer to an ask of this page. */
export interface Answer {
  local: string;
  action: Ask["action"];
  slot: string;
  ack: Ack;
}

/** Where a command stands at one device. */
export function commandResult(state: State, body: CommandResult, now: number): State {
  const results = withResult(state.results, body);
  if (results === state.results) return state;
  const slot = slotOf(body);
  const key = slotKey(body.device, slot);
  const ask = state.asks[key];
  const next = isOneOfMany(state, body)
    ? { ...state, results }
    : withLog({ ...state, results }, commandEntry(body, body.accessory ? accessoryTitle(state.devices[body.device], body.accessory) : null, epoch(body.at) ?? now + state.skewMs));
  const waitsForItsId = ask !== undefined && ask.command === null && ask.refused === null;
  const isNews = body.state === "sent" || body.state === "queued";
  if (!isNews || waitsForItsId || ask?.command === body.command) return next;
  return { ...next, asks: { ...next.asks, [key]: elsewhere(body, slot, now) } };
}

/** Whether this is one of the many good answers to a command to a crowd, which has one line and its own list. */
function isOneOfMany({ group }: State, body: CommandResult): boolean {
  const crowd = group !== null && group.command === body.command && group.devices.length > CROWD;
  return crowd && (body.state === "verified" || !isFinal(body.state));
}

/** Asked for elsewhere: every page shows that an answer is awaited. */
function elsewhere(body: CommandResult, slot: string, now: number): Ask {
  return {
    local: body.command,
    device: body.device,
    slot,
    action: body.action,
    askedAt: now,
    command: body.command,
    refused: null,
    mine: false,
    by: body.by ?? null,
  };
}

/** The commands that a snapshot says are open: what this page gave up for lost, or never heard of, is awaited again. */
export function resumed(state: State, open: readonly CommandResult[], now: number): State {
  const asks: Record<string, Ask> = { ...state.asks };
  let { results } = state;
  for (const body of open.filter((one) => !isFinal(one.state)).toSorted((a, b) => (a.seq ?? 0) - (b.seq ?? 0))) {
    const slot = slotOf(body);
    const key = slotKey(body.device, slot);
    const ask = asks[key];
    if (ask && ask.command === null && ask.refused === null) continue;
    results = withResult(results, body);
    asks[key] = ask?.command === body.command ? { ...ask, refused: null } : elsewhere(body, slot, now);
  }
  return { ...state, asks, results };
}

/** The part of a device that a result is for. */
function slotOf(body: CommandResult): string {
  return body.action === "clean" ? "clean" : (body.accessory ?? "");
}

/** The page's link changed; asks that are open when it is lost will not hear their answer. */
export function linked(state: State, link: Link, now: number): State {
  if (state.link.state !== "connected" || link.state === "connected") return { ...state, link };
  // Answers are not replayed, so nothing that is open will hear one. What the device reports says how it went.
  // What is queued goes on waiting at the relay.
  const refused = { code: "connection_lost", message: words("connection_lost") };
  const asks = Object.fromEntries(
    Object.entries(state.asks).map(([key, ask]) => {
      const came = outcome(ask, state.results, now);
      return came.phase === "pending" && came.state !== "queued" ? [key, { ...ask, refused }] : [key, ask];
    }),
  );
  return { ...state, link, asks, group: state.group && { ...state.group, refused } };
}

/** The relay took an ask, or refused it. */
export function answered(state: State, answer: Answer, now: number): State {
  const { ack, local, slot, action } = answer;
  const command = ack.ok ? (ack.command ?? null) : null;
  const refused = ack.ok ? null : { code: ack.code, message: words(ack.code, ack.message) };
  if (state.group?.local === local) {
    const devices = ack.devices ?? [];
    const asks = devices.map((device): [string, Ask] => [
      slotKey(device, slot),
      { local, device, slot, action, askedAt: now, command, refused, mine: true, by: null },
    ]);
    const next: State = {
      ...state,
      group: { ...state.group, command, devices, refused },
      asks: refused ? state.asks : { ...state.asks, ...Object.fromEntries(asks) },
    };
    if (refused || devices.length <= CROWD) return next;
    const text = `${state.group.label}: asked of ${devices.length} devices`;
    return withLog(next, { key: `group/${local}`, at: now + state.skewMs, kind: "command", tone: "plain", device: null, text });
  }
  const entry = Object.entries(state.asks).find(([, ask]) => ask.local === local);
  if (!entry) return state;
  const [key, ask] = entry;
  const next = { ...state, asks: { ...state.asks, [key]: { ...ask, command, refused } } };
  if (!refused) return next;
  const text = `${commandName(action, accessoryTitle(state.devices[ask.device], slot))}: refused. ${refused.message}`;
  const at = now + state.skewMs;
  return withLog(next, { key: `refused/${local}`, at, kind: "command", tone: "bad", device: ask.device, text });
}
