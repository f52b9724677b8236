/** Which devices there are: the snapshot, and devices that come and go. */

import type { DeviceProfile, DeviceRemoved, DeviceSnapshot, DeviceStatus, LastReading, Snapshot } from "../contract";
import { epoch } from "../format";
import { fromMotion, fromState } from "./accessories";
import { opened } from "./alerts";
import { resumed } from "./asks";
import { fromInsight } from "./insight";
import { newcomer, withDevice, withLog } from "./change";
import { nameOf, type Device, type Profile, type Reading, type State } from "./model";
import { absenceName } from "../words";

/** Everything is as the relay says; what this page asked for and logged stays. */
export function snapshot(state: State, body: Snapshot, now: number): State {
  const skewMs = (epoch(body.at) ?? now) - now;
  const next: State = {
    ...state,
    ready: true,
    joined: state.joined + 1,
    skewMs,
    role: body.role,
    demo: body.demo ?? false,
    snapshotCursor: body.cursor,
    devices: Object.fromEntries(body.devices.map((device) => [device.device, fromSnapshot(device, now, skewMs)])),
    alerts: opened(body.alerts ?? []),
  };
  return resumed(next, body.devices.flatMap(({ commands }) => commands ?? []), now);
}

/** What people say of a device. The snapshot's own tags are those of an older relay, or of its settings. */
function fromProfile(body: DeviceProfile | null | undefined, tags: readonly string[] = []): Profile {
  return {
    title: body?.title ?? null,
    place: body?.place ?? null,
    tags: body?.tags ?? tags,
    timeZone: body?.time_zone ?? null,
    calibration: body?.calibration ?? {},
    retired: body?.retired ?? false,
  };
}

/** The newest value as the snapshot tells it. What was added to it is not told: that comes with the next round. */
function fromLast(last: LastReading, now: number): Reading {
  const takenAt = epoch(last.taken_at);
  const goodAt = last.value === null ? epoch(last.value_at) : (takenAt ?? now);
  return {
    value: last.value,
    unit: last.unit ?? "",
    takenAt,
    arrivedAt: now,
    stream: null,
    id: null,
    quality: last.quality ?? null,
    good: goodAt === null ? null : { value: last.value, at: goodAt },
    staleAfterS: last.stale_after_s ?? null,
    offset: null,
  };
}

function fromSnapshot(body: DeviceSnapshot, now: number, skewMs: number): Device {
  return {
    ...newcomer(body.device, epoch(body.since) ?? now),
    online: body.online,
    reason: body.reason ?? null,
    flapping: body.flapping ?? false,
    profile: fromProfile(body.profile, body.tags),
    sampleIntervalS: body.sample_interval_s ?? null,
    statusIntervalS: body.status_interval_s ?? null,
    simulated: body.simulated ?? false,
    infos: Object.fromEntries((body.infos ?? []).map((info) => [info.accessory, info])),
    readings: Object.fromEntries(Object.entries(body.readings ?? {}).map(([quantity, last]) => [quantity, fromLast(last, now)])),
    accessories: Object.fromEntries((body.accessories ?? []).map((one) => [one.accessory, fromState(one, now)])),
    motion: body.motion ? fromMotion(body.motion, now + skewMs) : null,
    training: body.training ?? null,
    insight: fromInsight(body.insight, now + skewMs),
  };
}

/** A device came or went. */
export function deviceStatus(state: State, body: DeviceStatus, now: number): State {
  const known = state.devices[body.device];
  const at = epoch(body.since) ?? now + state.skewMs;
  const next = withDevice(state, body.device, now, (device) => ({
    ...device,
    online: body.online,
    since: at,
    reason: body.reason ?? null,
    flapping: body.flapping ?? false,
  }));
  if (known && known.online === body.online) return next;
  return withLog(next, {
    key: `device/${body.device}/${body.since}/${String(body.online)}`,
    at,
    kind: "device",
    tone: body.online ? "good" : "bad",
    device: body.device,
    text: body.online ? "Came online" : `Went offline${body.reason ? `: ${absenceName(body.reason)}` : ""}`,
  });
}

/** What a device says of itself, for one that came after the snapshot. What is newer here stays. */
export function introduced(state: State, body: DeviceSnapshot, now: number): State {
  const told = fromSnapshot(body, now, state.skewMs);
  return withDevice(state, body.device, now, (device) => ({
    ...told,
    online: device.online,
    since: device.since,
    reason: device.reason,
    flapping: device.flapping,
    readings: merged(told.readings, device.readings),
    accessories: { ...told.accessories, ...device.accessories },
    motion: device.motion ?? told.motion,
    training: device.training ?? told.training,
  }));
}

/** Values as they came live, with the schedule that only the device's own page tells. */
function merged(told: Device["readings"], live: Device["readings"]): Device["readings"] {
  const both = Object.entries(live).map(([quantity, reading]): [string, Reading] => [
    quantity,
    { ...reading, staleAfterS: told[quantity]?.staleAfterS ?? reading.staleAfterS },
  ]);
  return { ...told, ...Object.fromEntries(both) };
}

/** What people say of a device has changed. */
export function deviceProfile(state: State, body: DeviceProfile, now: number): State {
  const known = state.devices[body.device];
  if (!known) return state;
  const profile = fromProfile(body);
  const next = withDevice(state, body.device, now, (device) => ({ ...device, profile }));
  if (known.profile.retired === profile.retired) return next;
  const at = now + state.skewMs;
  const text = profile.retired ? "Retired" : "Back in service";
  return withLog(next, { key: `profile/${body.device}/${at}`, at, kind: "device", tone: "plain", device: body.device, text });
}

/** A device is gone, or its history goes on under another name. */
export function deviceRemoved(state: State, body: DeviceRemoved, now: number): State {
  const { [body.device]: gone, ...devices } = state.devices;
  if (!gone) return state;
  const asks = Object.fromEntries(Object.entries(state.asks).filter(([, ask]) => ask.device !== body.device));
  const alerts = Object.fromEntries(Object.entries(state.alerts).filter(([, alert]) => alert.device !== body.device));
  const at = now + state.skewMs;
  const heir = body.into && devices[body.into];
  const text = body.into ? `Goes on as ${heir ? nameOf(heir) : body.into}` : "Deleted with its history";
  const entry = { key: `removed/${body.device}/${at}`, at, kind: "device", tone: "plain", device: body.device, text } as const;
  return withLog({ ...state, devices, asks, alerts }, entry);
}
