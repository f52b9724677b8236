/** Why a command cannot be sent just now. */

import type { Action } from "../contract";
import { nameOf, type State } from "../state/model";
import { useStore } from "../state/store";

export const VIEWER = "Your token may look, not switch";

/** What may wait for a device that is away. Nothing switches on by surprise. */
export function canWait(action: Action): boolean {
  return action === "off" || action === "clean";
}

/** The reason in words, or null where nothing stands in the way. `device` null: any device. */
export function lockReason(state: State, device: string | null, action: Action = "on"): string | null {
  if (state.link.state !== "connected" || !state.ready) return "Not connected to the relay";
  if (state.role === "viewer") return VIEWER;
  const known = device === null ? undefined : state.devices[device];
  if (known?.profile.retired) return `${nameOf(known)} is retired: it takes no commands`;
  if (known?.online === false && !canWait(action)) return `${nameOf(known)} is offline`;
  return null;
}

/** `lockReason`, kept up to date. */
export function useLock(device: string | null, action: Action = "on"): string | null {
  return useStore((state) => lockReason(state, device, action));
}

/** Whether the page has no controls at all: its token may only look. */
export function useViewer(): boolean {
  return useStore((state) => state.role === "viewer");
}
