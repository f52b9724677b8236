import { ago, briefly, title } from "../format";
import { findingName } from "../insight/words";
import { alarming, shortTitle, tileState, told } from "../quantities";
import { readingAgeMs, readingLimitMs } from "../state/freshness";
import { worst } from "../state/insight";
import type { Reading } from "../state/model";
import { useStore } from "../state/store";
import { useNow } from "../state/ticker";
import { SeverityMark } from "./alerts/SeverityMark";

/** From here on a score is worth a word, for so long. */
const UNUSUAL = 0.3;
const UNUSUAL_MS = 120_000;

interface Props {
  device: string;
  quantity: string;
  reading: Reading;
  sampleIntervalS: number | null;
  /** A line of the machine's strip instead of a tile of the room. */
  compact?: boolean;
}

/** One quantity: its value, unit and age; a thread below it runs out as the value grows stale. */
export function ReadingTile({ device, quantity, reading, sampleIntervalS, compact }: Props) {
  const now = useNow();
  const skewMs = useStore((state) => state.skewMs);
  const age = readingAgeMs(reading, now, skewMs);
  const limit = readingLimitMs({ sampleIntervalS }, reading);
  const state = tileState(reading.value, reading.quality?.state, age > limit);
  const value = told(quantity, reading.value, reading.unit);
  const finding = useStore((all) => worst(all.devices[device]?.insight.findings ?? [], quantity));
  const score = useStore((all) => all.devices[device]?.insight.scores[quantity]);
  const unusual = score && score.score >= UNUSUAL && now + skewMs - score.at < UNUSUAL_MS ? score.score : null;
  const reason = reading.quality?.reason || (state === "failed" ? "no value from the sensor" : "");
  return (
    <div
      className={compact ? "fact" : "tile"}
      data-testid={`tile-${device}-${quantity}`}
      data-value={reading.value ?? ""}
      data-at={reading.takenAt ?? reading.arrivedAt}
      data-state={state}
      data-alarm={alarming(quantity, reading.value)}
      title={compact ? `${title(quantity)}, ${ago(age)}${reason ? `: ${reason}` : ""}` : undefined}
    >
      <dt>
        {compact ? shortTitle(quantity) : title(quantity)}
        {finding && (
          <span className="finding-mark" data-severity={finding.severity} title={`${findingName(finding.kind)}: ${finding.cause}`}>
            <SeverityMark severity={finding.severity} quiet />
          </span>
        )}
      </dt>
      <dd>
        <span className="value">
          {value.text}
          {value.unit && <span className="unit">{value.unit}</span>}
        </span>
        {!compact && (
          <>
            <span className="age">{note(state, age, reason)}</span>
            {unusual !== null && (
              <span className="unusual" title="How far a reading was from what it usually is: 0.5 is as far as ever before" data-testid={`score-${device}-${quantity}`}>
                unusual, score {unusual.toFixed(2)}
              </span>
            )}
            {(state === "failed" || state === "stale") && reading.good && (
              <span className="age" data-testid="no-data">
                no data since {briefly(reading.good.at, now + skewMs)}
                {state === "failed" && reading.good.value !== null && `, then ${told(quantity, reading.good.value, reading.unit).text}`}
              </span>
            )}
            <span className="thread" aria-hidden="true" style={{ "--life": Math.max(0, 1 - age / limit).toFixed(2) }} />
          </>
        )}
      </dd>
    </div>
  );
}

function note(state: ReturnType<typeof tileState>, age: number, reason: string): string {
  if (state === "failed") return `failed: ${reason}`;
  if (state === "stale") return `stale, ${ago(age)}`;
  return state === "degraded" && reason ? `${ago(age)}, ${reason}` : ago(age);
}
