import { useState } from "react";
import type { Alert } from "../../contract";
import { ago, briefly, duration, epoch, quantityOf, title } from "../../format";
import { useControls } from "../../link/operator";
import { hrefOf } from "../../link/route";
import { told } from "../../quantities";
import { nameOf } from "../../state/model";
import { useStore } from "../../state/store";
import { useNow } from "../../state/ticker";
import { endOf } from "../../words";
import { isCut } from "../../state/freshness";
import { CommandButton } from "../CommandButton";
import { useViewer } from "../lock";
import { SeverityMark } from "./SeverityMark";

/** One alert: what is the matter, where, since when, who has seen it. `here`: it stands at its own device. */
export function AlertRow({ alert, here }: { alert: Alert; here?: boolean }) {
  const now = useNow();
  const skewMs = useStore((state) => state.skewMs);
  const device = useStore((state) => (alert.device ? state.devices[alert.device] : undefined));
  const openedAt = epoch(alert.opened_at) ?? now;
  const value = alert.quantity && typeof alert.value === "number" ? told(alert.quantity, alert.value, quantityOf(alert.quantity)?.unit ?? "") : null;
  return (
    <li className="alert" data-state={alert.state} data-severity={alert.severity} data-testid={`alert-${alert.alert}`}>
      <SeverityMark severity={alert.severity} quiet={alert.state !== "open"} />
      <div className="alert-body">
        <p className="alert-message">{alert.message}</p>
        <p className="alert-facts">
          {!here &&
            (alert.device ? (
              <a href={hrefOf({ view: "log", device: alert.device })}>{device ? nameOf(device) : alert.device}</a>
            ) : (
              <span>the whole site</span>
            ))}
          <span>{spanOf(alert, openedAt, now + skewMs)}</span>
          {alert.quantity && value && !alert.message.includes(title(alert.quantity)) && (
            <span>
              {title(alert.quantity)} {value.text} {value.unit}
            </span>
          )}
          <span>rule {alert.rule}</span>
          {seenBy(alert) && <span>{seenBy(alert)}</span>}
        </p>
      </div>
      {alert.state !== "closed" && <Deeds alert={alert} />}
    </li>
  );
}

function spanOf(alert: Alert, openedAt: number, now: number): string {
  const closedAt = epoch(alert.closed_at);
  if (closedAt !== null) return `${briefly(openedAt, now)}, for ${duration((closedAt - openedAt) / 1000)}`;
  return `since ${briefly(openedAt, now)}, ${ago(Math.max(0, now - openedAt))}`;
}

function seenBy(alert: Alert): string {
  if (alert.state === "acknowledged") return `acknowledged${alert.acknowledged_by ? ` by ${alert.acknowledged_by}` : ""}`;
  return alert.state === "closed" ? endOf(alert) : "";
}

/** Acknowledge and close, for operators. The row changes when the relay says so. */
function Deeds({ alert }: { alert: Alert }) {
  const { operator } = useControls();
  const viewer = useViewer();
  const cut = useStore(isCut);
  const [pending, setPending] = useState<"acknowledge" | "close" | null>(null);
  const [trouble, setTrouble] = useState("");
  if (viewer) return null;
  const settle = (deed: "acknowledge" | "close") => {
    setPending(deed);
    setTrouble("");
    operator
      .settle(alert.alert, deed)
      .catch((error: unknown) => setTrouble(error instanceof Error ? error.message : String(error)))
      .finally(() => setPending(null));
  };
  const button = (deed: "acknowledge" | "close", label: string) => (
    <CommandButton
      testId={`btn-alert-${alert.alert}-${deed}`}
      name={`${label}: ${alert.message}`}
      className="button"
      lock={cut ? "Not connected to the relay" : null}
      pending={pending === deed}
      busy={pending !== null}
      onPress={() => settle(deed)}
    >
      {label}
    </CommandButton>
  );
  return (
    <div className="alert-deeds">
      {alert.state === "open" && button("acknowledge", "Acknowledge")}
      {button("close", "Close")}
      {trouble && (
        <p className="alert-trouble" role="alert">
          {trouble}
        </p>
      )}
    </div>
  );
}
