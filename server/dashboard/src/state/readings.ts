/** Rounds of readings: which value counts, and when a sensor failed or came back. */

import type { ClientSensorData } from "../contract";
import { epoch, quantityOf } from "../format";
import { withDevice, withLog } from "./change";
import { withInsight } from "./insight";
import { isDated } from "./instant";
import { sensorEntry } from "./log";
import type { Device, Reading, State } from "./model";

/** One round. `past`: it is older than the snapshot, so the tiles know better. */
export function sensorData(state: State, body: ClientSensorData, now: number, past: boolean): State {
  const name = body.device;
  if (!name || past) return state;
  const takenAt = isDated(body) ? epoch(body.taken_at) : null;
  let next = withDevice(state, name, now, (device) => {
    const readings = { ...device.readings };
    for (const [quantity, value] of Object.entries(body.data)) {
      const before = readings[quantity];
      if (isOlder(before, body)) continue;
      const quality = body.quality?.[quantity] ?? null;
      readings[quantity] = {
        value,
        unit: quantityOf(quantity)?.unit ?? before?.unit ?? "",
        takenAt,
        arrivedAt: now,
        stream: body.stream ?? null,
        id: body.id,
        quality,
        good: value === null ? (before?.good ?? null) : { value, at: takenAt ?? now + state.skewMs },
        staleAfterS: before?.staleAfterS ?? null,
        offset: body.calibration?.[quantity] ?? 0,
      };
    }
    const insight = withInsight(device.insight, body.insight, body.taken_at, now + state.skewMs);
    return { ...device, readings, insight, sampleIntervalS: device.sampleIntervalS ?? pace(device, takenAt) };
  });
  for (const [quantity, value] of Object.entries(body.data)) {
    const before = state.devices[name]?.readings[quantity];
    if (!before || isOlder(before, body) || (before.value === null) === (value === null)) continue;
    const reason = value === null ? body.quality?.[quantity]?.reason || "no value from the sensor" : null;
    next = withLog(next, sensorEntry(name, quantity, reason, takenAt ?? now + state.skewMs));
  }
  return next;
}

/** Rounds of one stream count upwards; between streams the later arrival counts. */
function isOlder(before: Reading | undefined, body: ClientSensorData): boolean {
  return before !== undefined && before.stream !== null && before.stream === body.stream && body.id <= (before.id ?? -1);
}

/** The interval that two rounds show, in seconds, for a device that did not tell its own. */
function pace(device: Device, takenAt: number | null): number | null {
  const last = Object.values(device.readings)[0]?.takenAt ?? null;
  const seconds = last === null || takenAt === null ? 0 : (takenAt - last) / 1000;
  return seconds >= 0.1 && seconds <= 3600 ? seconds : null;
}
