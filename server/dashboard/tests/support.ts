/** Bodies as the relay sends them, with only what a test cares about spelled out. */

import {
  EVENTS,
  type AccessoryState,
  type Alert,
  type ClientSensorData,
  type CommandResult,
  type DeviceProfile,
  type DeviceSnapshot,
  type Snapshot,
} from "../src/contract";
import { EMPTY, type Ask, type State } from "../src/state/model";
import { reduce, type Deed, type Told } from "../src/state/reduce";

/** An instant of local time that tests count from, epoch ms. */
export const T0 = Date.parse("2026-03-01T12:00:00.000Z");

export const iso = (ms: number) => new Date(ms).toISOString();

export function device(name = "pi-1", more: Partial<DeviceSnapshot> = {}): DeviceSnapshot {
  return { device: name, online: true, since: iso(T0 - 60_000), sample_interval_s: 2, status_interval_s: 10, ...more };
}

export function snapshot(devices: DeviceSnapshot[] = [device()], more: Partial<Snapshot> = {}): Told {
  const body = { at: iso(T0), role: "operator", cursor: 100, devices, contract: "1.0", ...more };
  return { event: EVENTS.SNAPSHOT_PUB_CLIENT, body };
}

export function round(id: number, data: ClientSensorData["data"], more: Partial<ClientSensorData> = {}): Told {
  const body = {
    id,
    device: "pi-1",
    stream: "s",
    datetime: "2026-03-01 12:00:00",
    taken_at: iso(T0 + id * 1000),
    fail: [],
    data,
    cursor: 100 + id,
    ...more,
  };
  return { event: EVENTS.SENSOR_DATA_PUB_CLIENT, body };
}

export function light(status: boolean, more: Partial<AccessoryState> = {}): Told {
  const body = {
    datatime: "2026-03-01 12:00:00",
    accessory: "breath_light",
    status,
    device: "pi-1",
    reported_at: iso(T0),
    cursor: 101,
    ...more,
  };
  return { event: EVENTS.ACCESSORY_STATUS_PUB_CLIENT, body };
}

export function result(state: CommandResult["state"], more: Partial<CommandResult> = {}): Told & { body: CommandResult } {
  const body: CommandResult = {
    command: "c1",
    device: "pi-1",
    action: "off",
    accessory: "breath_light",
    state,
    code: state === "verified" ? "verified" : "no_answer",
    at: iso(T0),
    ...more,
  };
  return { event: EVENTS.COMMAND_RESULT_PUB_CLIENT, body };
}

export function asked(more: Partial<Ask> = {}): Deed {
  const ask: Ask = {
    local: "local-1",
    device: "pi-1",
    slot: "breath_light",
    action: "off",
    askedAt: T0,
    command: null,
    refused: null,
    mine: true,
    by: null,
    ...more,
  };
  return { deed: "asked", ask };
}

export function answered(ack: Extract<Deed, { deed: "answered" }>["ack"], local = "local-1"): Deed {
  return { deed: "answered", local, action: "off", slot: "breath_light", ack };
}

export function alertTold(state: Alert["state"] = "open", more: Partial<Alert> = {}): Told {
  const body: Alert = {
    alert: "a1",
    rule: "too-hot",
    device: "pi-1",
    severity: "warning",
    state,
    opened_at: iso(T0 - 60_000),
    message: "Temperature above 27 °C",
    ...more,
  };
  return { event: EVENTS.ALERT_PUB_CLIENT, body };
}

export function profile(more: Partial<DeviceProfile> = {}): Told {
  return { event: EVENTS.DEVICE_PROFILE_PUB_CLIENT, body: { device: "pi-1", ...more } };
}

/** The state after all of `what`, at T0. */
export function after(...what: (Told | Deed)[]): State {
  return what.reduce((state, one) => reduce(state, one, T0), EMPTY);
}

export const CONNECTED: Deed = { deed: "link", link: { state: "connected" } };
export const LOST: Deed = { deed: "link", link: { state: "reconnecting", lostAt: T0, retryAt: T0 + 1000, why: "" } };
