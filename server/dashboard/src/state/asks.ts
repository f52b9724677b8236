/** Commands on their way: what was asked here or elsewhere, what the relay answered, what was lost with the connection. */

import type { Ack, CommandResult } from "../contract";
import { epoch } from "../format";
import { withLog } from "./change";
import { outcome, withResult, words } from "./commands";
import { commandEntry, commandName } from "./log";
import { slotKey, type Ask, type Link, type State } from "./model";

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
  const slot = body.action === "clean" ? "clean" : (body.accessory ?? "");
  const key = slotKey(body.device, slot);
  const ask = state.asks[key];
  const next = withLog({ ...state, results }, commandEntry(body, epoch(body.at) ?? now + state.skewMs));
  const waitsForItsId = ask !== undefined && ask.command === null && ask.refused === null;
  if (body.state !== "sent" || waitsForItsId || ask?.command === body.command) return next;
  // Asked for elsewhere: every page shows that an answer is awaited.
  const other: Ask = {
    local: body.command,
    device: body.device,
    slot,
    action: body.action,
    askedAt: now,
    command: body.command,
    refused: null,
    mine: false,
  };
  return { ...next, asks: { ...next.asks, [key]: other } };
}

/** The page's link changed; asks that are open when it is lost will not hear their answer. */
export function linked(state: State, link: Link, now: number): State {
  if (state.link.state !== "connected" || link.state === "connected") return { ...state, link };
  // Answers are not replayed, so nothing that is open will hear one. What the device reports says how it went.
  const refused = { code: "connection_lost", message: words("connection_lost") };
  const asks = Object.fromEntries(
    Object.entries(state.asks).map(([key, ask]) =>
      outcome(ask, state.results, now).phase === "pending" ? [key, { ...ask, refused }] : [key, ask],
    ),
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
      { local, device, slot, action, askedAt: now, command, refused, mine: true },
    ]);
    return {
      ...state,
      group: { ...state.group, command, devices, refused },
      asks: refused ? state.asks : { ...state.asks, ...Object.fromEntries(asks) },
    };
  }
  const entry = Object.entries(state.asks).find(([, ask]) => ask.local === local);
  if (!entry) return state;
  const [key, ask] = entry;
  const next = { ...state, asks: { ...state.asks, [key]: { ...ask, command, refused } } };
  if (!refused) return next;
  const text = `${commandName(action, slot)}: refused. ${refused.message}`;
  const at = now + state.skewMs;
  return withLog(next, { key: `refused/${local}`, at, kind: "command", tone: "bad", device: ask.device, text });
}
