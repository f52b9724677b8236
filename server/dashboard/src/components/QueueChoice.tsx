import { useState } from "react";
import { clock } from "../format";
import type { Manner } from "../link/operator";
import { useStore } from "../state/store";
import { useTick } from "../state/ticker";

const SPANS = [
  { s: 900, label: "15 min" },
  { s: 3600, label: "1 h" },
  { s: 8 * 3600, label: "8 h" },
  { s: 24 * 3600, label: "24 h" },
];
const USUAL_S = 3600;

/** Whether and how long a command waits for those that are away. */
export interface Queueing {
  /** How many of those it is for are offline. */
  away: number;
  /** How many it is for. */
  of: number;
  wanted: boolean;
  ttlS: number;
  set: (change: { wanted?: boolean; ttlS?: number }) => void;
  /** What is added to the request. */
  manner: Manner;
}

/** The choice of one button. With all of them away there is nothing but waiting. */
export function useQueueing(away: number, of: number): Queueing {
  const [chosen, setChosen] = useState({ wanted: true, ttlS: USUAL_S });
  const wanted = away > 0 && (away === of || chosen.wanted);
  return {
    away,
    of,
    wanted,
    ttlS: chosen.ttlS,
    set: (change) => setChosen((before) => ({ ...before, ...change })),
    manner: wanted ? { queue: true, ttl_s: chosen.ttlS } : {},
  };
}

/** Says who is away and asks how long the command may wait. Nothing where nobody is away. */
export function QueueChoice({ queueing, whose }: { queueing: Queueing; whose: string }) {
  const { away, of, wanted, ttlS, set } = queueing;
  const skewMs = useStore((state) => state.skewMs);
  const until = useTick((now) => clock(now + skewMs + ttlS * 1000));
  if (away === 0) return null;
  const span = (
    <label className="queue-span">
      It waits for up to{" "}
      <select value={ttlS} onChange={(event) => set({ ttlS: Number(event.target.value) })} data-testid="queue-span">
        {SPANS.map(({ s, label }) => (
          <option key={s} value={s}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <div className="queue-choice" data-testid="queue-choice">
      {away === of ? (
        <p>{of === 1 ? `${whose} is offline: this will not happen now.` : `All ${of} are offline: this will not happen now.`}</p>
      ) : (
        <label className="check">
          <input type="checkbox" checked={wanted} onChange={(event) => set({ wanted: event.target.checked })} />
          {away === 1 ? "Queue it for the one that is offline" : `Queue it for the ${away} that are offline`}
        </label>
      )}
      {wanted && (
        <>
          {span}
          <p className="queue-note">until {until}; after that it is not carried out. A newer command cancels it.</p>
        </>
      )}
    </div>
  );
}
