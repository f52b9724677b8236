/** What to say of the newest ask at a part. */

import type { Action } from "../../contract";
import { briefly, epoch, latency } from "../../format";
import { outcome, progress } from "../../state/commands";
import { slotKey, type Ask, type State } from "../../state/model";
import { useStore } from "../../state/store";
import { whoName } from "../../words";

/** How long a confirmation stays; a failure stays until it is dismissed or something else is asked. */
const SHOWN_MS = 8000;

export type Standing =
  | { is: "idle" }
  /** `step`: 0 (not sent yet) to 3 (switched, not read back). */
  | { is: "pending"; action: Action; step: number; text: string }
  | { is: "queued"; action: Action; text: string }
  | { is: "confirmed"; text: string }
  | { is: "failed"; action: Action; code: string; text: string };

const CUT = "its link is cut; the answer is awaited until the command ends…";

const STEPS = ["sending…", "waiting for the device…", "the device has it…", "switched, reading the pin back…"];

/** What to say of an ask at local time `now`. */
export function standing(ask: Ask | undefined, state: Pick<State, "results" | "skewMs" | "devices">, now: number): Standing {
  if (!ask) return { is: "idle" };
  const came = outcome(ask, state.results, now);
  const { action } = ask;
  const asked = `asked${ask.mine ? "" : ask.by ? ` by ${whoName(ask.by)}` : " elsewhere"}: ${action}`;
  if (came.phase === "pending") {
    if (came.state === "queued") {
      const end = came.until === null ? "for the device" : `until ${briefly(came.until, now + state.skewMs)}`;
      return { is: "queued", action, text: `${asked} — queued: waits ${end}, cancelled by a newer command` };
    }
    const step = came.state === "asking" ? 0 : progress(came.state);
    const away = step > 0 && state.devices[ask.device]?.online === false;
    return { is: "pending", action, step, text: `${asked} — ${away ? CUT : STEPS[step]}` };
  }
  if (!came.ok) return { is: "failed", action, code: came.code, text: `${asked} — ${came.message}` };
  const at = (epoch(came.result.at) ?? now) - state.skewMs;
  if (now - at > SHOWN_MS) return { is: "idle" };
  const speed = typeof came.result.elapsed_ms === "number" ? ` in ${latency(came.result.elapsed_ms)}` : "";
  return { is: "confirmed", text: `${asked} — confirmed${speed}` };
}

/** `standing` of a part at local time `now`. */
export function useStanding(device: string, slot: string, now: number): Standing {
  const ask = useStore((state) => state.asks[slotKey(device, slot)]);
  const results = useStore((state) => state.results);
  const skewMs = useStore((state) => state.skewMs);
  const devices = useStore((state) => state.devices);
  return standing(ask, { results, skewMs, devices }, now);
}
