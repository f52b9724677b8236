/** Why a command cannot be sent just now. */

import type { State } from "../state/model";
import { useStore } from "../state/store";

/** The reason in words, or null where nothing stands in the way. `device` null: any device. */
export function lockReason(state: State, device: string | null): string | null {
  if (state.link.state !== "connected" || !state.ready) return "Not connected to the relay";
  if (state.role === "viewer") return "Your token may look, not switch";
  if (device !== null && state.devices[device]?.online === false) return `${device} is offline`;
  return null;
}

/** `lockReason`, kept up to date. */
export function useLock(device: string | null): string | null {
  return useStore((state) => lockReason(state, device));
}
