import { epoch, moment, sentence, title } from "../../format";
import { findingName } from "../../insight/words";
import type { Device } from "../../state/model";
import { useStore } from "../../state/store";
import { useTick } from "../../state/ticker";
import { SeverityMark } from "../alerts/SeverityMark";

/** What the device itself finds unusual now, with what it saw. */
export function Findings({ device }: { device: Device }) {
  const skewMs = useStore((state) => state.skewMs);
  // By the minute: only the day of a time depends on it.
  const now = useTick((at) => Math.floor((at + skewMs) / 60_000) * 60_000);
  const { findings } = device.insight;
  if (findings.length === 0) return null;
  return (
    <ul className="findings" aria-label="Findings" data-testid={`findings-${device.name}`}>
      {findings.map((one) => (
        <li key={`${one.kind}/${one.quantity}`} className="finding" data-kind={one.kind} data-severity={one.severity}>
          <SeverityMark severity={one.severity} quiet />
          <p>
            <b>{findingName(one.kind)}</b> <span className="finding-of">{one.quantity === "motion" ? sentence(one.quantity) : title(one.quantity)}</span>
            <span className="finding-cause">
              {one.cause}
              <span className="quiet">, {one.kind === "spike" ? "at" : "since"} {moment(epoch(one.at) ?? now, now)}</span>
            </span>
          </p>
        </li>
      ))}
    </ul>
  );
}
