import { epoch, latency } from "../format";
import { outcome } from "../state/commands";
import { slotKey, type Ask, type State } from "../state/model";
import { store, useStore } from "../state/store";
import { Close } from "./icons";

/** How long a confirmation stays; a failure stays until it is dismissed or something else is asked. */
const SHOWN_MS = 8000;

export type Standing =
  | { is: "idle" }
  | { is: "pending"; action: Ask["action"]; text: string }
  | { is: "confirmed"; text: string }
  | { is: "failed"; code: string; text: string };

/** What to say of the newest ask at a part, at local time `now`. */
export function standing(ask: Ask | undefined, state: Pick<State, "results" | "skewMs">, now: number): Standing {
  if (!ask) return { is: "idle" };
  const came = outcome(ask, state.results, now);
  const asked = ask.mine ? `asked: ${ask.action}` : `asked elsewhere: ${ask.action}`;
  if (came.phase === "pending")
    return { is: "pending", action: ask.action, text: `${asked} — ${came.state === "asking" ? "sending…" : "waiting for the device…"}` };
  if (!came.ok) return { is: "failed", code: came.code, text: `${asked} — ${came.message}` };
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
  return standing(ask, { results, skewMs }, now);
}

/** One line on what was asked and what became of it. */
export function AskNote({ device, slot, standing: told }: { device: string; slot: string; standing: Standing }) {
  return (
    <p className="ask-note" data-is={told.is} role="status">
      {told.is === "failed" ? (
        <>
          <span>
            {told.text} <code>{told.code}</code>
          </span>
          <button
            type="button"
            className="ask-dismiss"
            aria-label="Dismiss"
            onClick={() => store.act({ deed: "dismissed", slot: slotKey(device, slot) })}
          >
            <Close />
          </button>
        </>
      ) : (
        told.is !== "idle" && <span>{told.text}</span>
      )}
    </p>
  );
}
