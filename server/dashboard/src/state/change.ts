/** The steps that every handler of the reducer is made of. */

import { logged } from "./log";
import { NO_INSIGHT, UNKNOWN_PROFILE, type Device, type LogEntry, type State } from "./model";

/** A device of which only the name is known. */
export function newcomer(name: string, since: number): Device {
  return {
    name,
    online: true,
    since,
    reason: null,
    flapping: false,
    profile: UNKNOWN_PROFILE,
    sampleIntervalS: null,
    statusIntervalS: null,
    simulated: false,
    infos: {},
    readings: {},
    accessories: {},
    motion: null,
    training: null,
    insight: NO_INSIGHT,
  };
}

/** The state with one device changed; one that is not known yet is new. */
export function withDevice(
  state: State,
  name: string | null | undefined,
  now: number,
  change: (device: Device) => Device,
): State {
  if (!name) return state;
  const device = state.devices[name] ?? newcomer(name, now + state.skewMs);
  return { ...state, devices: { ...state.devices, [name]: change(device) } };
}

/** The state with one more line in the activity log. */
export function withLog(state: State, entry: LogEntry): State {
  return { ...state, log: logged(state.log, entry) };
}

/** Whether this is a replayed frame from before the snapshot: charts and the log want it, the tiles know better. */
export function isPast(state: State, cursor: number | null | undefined): boolean {
  return typeof cursor === "number" && cursor < state.snapshotCursor;
}
