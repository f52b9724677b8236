/** The page's state as a pure function of what happened: one handler per contract event, and the page's own actions. */

import {
  EVENTS,
  type AccessoryState,
  type Alert,
  type ClientModelTrain,
  type ClientMotion,
  type ClientSensorData,
  type CommandResult,
  type DeviceProfile,
  type DeviceRemoved,
  type DeviceSnapshot,
  type DeviceStatus,
  type ErrorBody,
  type Snapshot,
} from "../contract";
import { accessory, motion, training } from "./accessories";
import { answered, commandResult, linked, type Answer } from "./asks";
import { isPast, withLog } from "./change";
import { alertNews } from "./alerts";
import { deviceProfile, deviceRemoved, deviceStatus, introduced, snapshot } from "./devices";
import { slotKey, type Ask, type GroupAsk, type Link, type State } from "./model";
import { sensorData } from "./readings";
import { words } from "../words";

/** What the relay may tell a page: a contract event and its body. */
export type Told =
  | { event: typeof EVENTS.SNAPSHOT_PUB_CLIENT; body: Snapshot }
  | { event: typeof EVENTS.SENSOR_DATA_PUB_CLIENT; body: ClientSensorData }
  | { event: typeof EVENTS.ACCESSORY_STATUS_PUB_CLIENT; body: AccessoryState }
  | { event: typeof EVENTS.MOTION_PUB_CLIENT; body: ClientMotion }
  | { event: typeof EVENTS.MODEL_TRAIN_PUB_CLIENT; body: ClientModelTrain }
  | { event: typeof EVENTS.DEVICE_STATUS_PUB_CLIENT; body: DeviceStatus }
  | { event: typeof EVENTS.DEVICE_PROFILE_PUB_CLIENT; body: DeviceProfile }
  | { event: typeof EVENTS.DEVICE_REMOVED_PUB_CLIENT; body: DeviceRemoved }
  | { event: typeof EVENTS.ALERT_PUB_CLIENT; body: Alert }
  | { event: typeof EVENTS.COMMAND_RESULT_PUB_CLIENT; body: CommandResult }
  | { event: typeof EVENTS.ERROR_PUB; body: ErrorBody };

/** What happens on the page itself. */
export type Deed =
  | { deed: "link"; link: Link }
  | { deed: "introduced"; device: DeviceSnapshot }
  | { deed: "asked"; ask: Ask }
  | { deed: "asked_group"; group: GroupAsk }
  | ({ deed: "answered" } & Answer)
  | { deed: "dismissed"; slot: string }
  | { deed: "dismissed_group" };

/** The state after `what`, at local time `now` (epoch ms). */
export function reduce(state: State, what: Told | Deed, now: number): State {
  return "event" in what ? told(state, what, now) : done(state, what, now);
}

function told(state: State, { event, body }: Told, now: number): State {
  switch (event) {
    case EVENTS.SNAPSHOT_PUB_CLIENT:
      return snapshot(state, body, now);
    case EVENTS.SENSOR_DATA_PUB_CLIENT:
      return sensorData(state, body, now, isPast(state, body.cursor));
    case EVENTS.ACCESSORY_STATUS_PUB_CLIENT:
      // A replay does not know what was desired or linked; what is so now comes live, however late.
      return accessory(state, body, now, body.replayed || isPast(state, body.cursor));
    case EVENTS.MOTION_PUB_CLIENT:
      return motion(state, body, now, isPast(state, body.cursor));
    case EVENTS.MODEL_TRAIN_PUB_CLIENT:
      return training(state, body, now, isPast(state, body.cursor));
    case EVENTS.DEVICE_STATUS_PUB_CLIENT:
      return deviceStatus(state, body, now);
    case EVENTS.DEVICE_PROFILE_PUB_CLIENT:
      return deviceProfile(state, body, now);
    case EVENTS.DEVICE_REMOVED_PUB_CLIENT:
      return deviceRemoved(state, body, now);
    case EVENTS.ALERT_PUB_CLIENT:
      return alertNews(state, body, isPast(state, body.cursor));
    case EVENTS.COMMAND_RESULT_PUB_CLIENT:
      return commandResult(state, body, now);
    case EVENTS.ERROR_PUB:
      return errorBody(state, body, now);
  }
}

function done(state: State, what: Deed, now: number): State {
  switch (what.deed) {
    case "link":
      return linked(state, what.link, now);
    case "introduced":
      return introduced(state, what.device, now);
    case "asked":
      return { ...state, asks: { ...state.asks, [slotKey(what.ask.device, what.ask.slot)]: what.ask } };
    case "asked_group":
      return { ...state, group: what.group };
    case "answered":
      return answered(state, what, now);
    case "dismissed": {
      const { [what.slot]: _, ...asks } = state.asks;
      return { ...state, asks };
    }
    case "dismissed_group":
      return { ...state, group: null };
  }
}

function errorBody(state: State, body: ErrorBody, now: number): State {
  const at = now + state.skewMs;
  const text = `The relay refused${body.event ? ` ${body.event}` : ""}: ${words(body.code, body.message)}`;
  return withLog(state, { key: `error/${at}/${body.code}`, at, kind: "error", tone: "bad", device: null, text });
}
