/** Which devices there are: the snapshot, and devices that come and go. */

import type { DeviceSnapshot, DeviceStatus, Snapshot } from "../contract";
import { epoch } from "../format";
import { fromMotion, fromState } from "./accessories";
import { newcomer, withDevice, withLog } from "./change";
import type { Device, Reading, State } from "./model";

/** Everything is as the relay says; what this page asked for and logged stays. */
export function snapshot(state: State, body: Snapshot, now: number): State {
  const skewMs = (epoch(body.at) ?? now) - now;
  return {
    ...state,
    ready: true,
    joined: state.joined + 1,
    skewMs,
    role: body.role,
    demo: body.demo ?? false,
    cursor: Math.max(body.cursor, state.cursor ?? 0),
    snapshotCursor: body.cursor,
    devices: Object.fromEntries(body.devices.map((device) => [device.device, fromSnapshot(device, now, skewMs)])),
  };
}

function fromSnapshot(body: DeviceSnapshot, now: number, skewMs: number): Device {
  const readings = Object.entries(body.readings ?? {}).map(([quantity, last]): [string, Reading] => [
    quantity,
    {
      value: last.value,
      unit: last.unit ?? "",
      takenAt: epoch(last.taken_at),
      arrivedAt: now,
      stream: null,
      id: null,
      quality: last.quality ?? null,
      good: last.value === null ? null : { value: last.value, at: epoch(last.taken_at) ?? now },
    },
  ]);
  return {
    ...newcomer(body.device, epoch(body.since) ?? now),
    online: body.online,
    sampleIntervalS: body.sample_interval_s ?? null,
    statusIntervalS: body.status_interval_s ?? null,
    simulated: body.simulated ?? false,
    tags: body.tags ?? [],
    readings: Object.fromEntries(readings),
    accessories: Object.fromEntries((body.accessories ?? []).map((one) => [one.accessory, fromState(one, now)])),
    motion: body.motion ? fromMotion(body.motion, now + skewMs) : null,
    training: body.training ?? null,
  };
}

/** A device came or went. */
export function deviceStatus(state: State, body: DeviceStatus, now: number): State {
  const known = state.devices[body.device];
  const at = epoch(body.since) ?? now + state.skewMs;
  const next = withDevice(state, body.device, now, (device) => ({ ...device, online: body.online, since: at }));
  if (known && known.online === body.online) return next;
  return withLog(next, {
    key: `device/${body.device}/${body.since}/${String(body.online)}`,
    at,
    kind: "device",
    tone: body.online ? "good" : "bad",
    device: body.device,
    text: body.online ? "Came online" : "Went offline",
  });
}

/** What a device says of itself, for one that came after the snapshot. What is newer here stays. */
export function introduced(state: State, body: DeviceSnapshot, now: number): State {
  const told = fromSnapshot(body, now, state.skewMs);
  return withDevice(state, body.device, now, (device) => ({
    ...told,
    online: device.online,
    since: device.since,
    readings: { ...told.readings, ...device.readings },
    accessories: { ...told.accessories, ...device.accessories },
    motion: device.motion ?? told.motion,
    training: device.training ?? told.training,
  }));
}
