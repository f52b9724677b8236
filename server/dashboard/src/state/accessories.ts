/** What the accessories reported, what the infrared sensor saw, and how training goes. */

import type { AccessoryState, ClientModelTrain, ClientMotion } from "../contract";
import { epoch } from "../format";
import { withDevice, withLog } from "./change";
import { instant } from "./instant";
import { accessoryTitle, type Accessory, type Motion, type State } from "./model";
import { causeName } from "../words";

/** The contract's body as the page keeps it. `before` is what was known until now. */
export function fromState(body: AccessoryState, now: number, before?: Accessory): Accessory {
  const reportedAt = epoch(body.reported_at);
  return {
    reported: body.status,
    desired: body.desired ?? null,
    reportedAt,
    arrivedAt: now,
    level: body.level ?? null,
    light: body.light ?? null,
    leaseUntil: typeof body.lease_left_s === "number" && reportedAt !== null ? reportedAt + body.lease_left_s * 1000 : null,
    since: since(body, reportedAt, before),
    cause: body.cause ?? null,
    by: body.by ?? null,
    fault: body.fault ?? null,
  };
}

/** Since when it is so: as the relay says, else as this page has seen it. */
function since(body: AccessoryState, reportedAt: number | null, before: Accessory | undefined): number | null {
  const told = epoch(body.since);
  if (told !== null || !before) return told;
  return before.reported === body.status ? before.since : reportedAt;
}

/** An accessory's state was told. */
export function accessory(state: State, body: AccessoryState, now: number, past: boolean): State {
  const name = body.device;
  if (!name || past) return state;
  const before = state.devices[name]?.accessories[body.accessory];
  const next = withDevice(state, name, now, (device) => ({
    ...device,
    accessories: { ...device.accessories, [body.accessory]: fromState(body, now, before) },
  }));
  // A change that answers a command has the command's own line.
  if (!before || before.reported === body.status || body.command) return next;
  const at = epoch(body.reported_at) ?? now + state.skewMs;
  const why = causeName(body.cause, body.by);
  return withLog(next, {
    key: `accessory/${name}/${body.accessory}/${at}`,
    at,
    kind: "accessory",
    tone: body.cause === "local_fault" ? "bad" : "plain",
    device: name,
    text: `${accessoryTitle(next.devices[name], body.accessory)} is ${body.status ? "on" : "off"}${why ? `: ${why}` : ""}`,
  });
}

/** The contract's body as the page keeps it; `now` is the relay's time. */
export function fromMotion(body: ClientMotion, now: number): Motion {
  return { motion: body.motion, count: body.count ?? 0, at: instant(body, now) };
}

/** A movement began or ended. */
export function motion(state: State, body: ClientMotion, now: number, past: boolean): State {
  if (!body.device) return state;
  const seen = fromMotion(body, now + state.skewMs);
  const next = past ? state : withDevice(state, body.device, now, (device) => ({ ...device, motion: seen }));
  if (!body.motion) return next;
  const key = `motion/${body.device}/${body.stream ?? ""}/${body.id}`;
  return withLog(next, { key, at: seen.at, kind: "motion", tone: "lit", device: body.device, text: "Motion" });
}

/** A training job's news. */
export function training(state: State, body: ClientModelTrain, now: number, past: boolean): State {
  if (!body.device || past) return state;
  const next = withDevice(state, body.device, now, (device) => ({ ...device, training: body }));
  if (body.phase === "progress") return next;
  const phase = body.phase ?? (body.status ? "started" : "finished");
  return withLog(next, {
    key: `training/${body.device}/${body.job ?? ""}/${phase}`,
    at: now + state.skewMs,
    kind: "training",
    tone: phase === "failed" ? "bad" : "plain",
    device: body.device,
    text: `Training ${phase}${body.reason ? `: ${body.reason}` : ""}`,
  });
}
