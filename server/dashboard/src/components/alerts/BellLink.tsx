import type { Severity } from "../../contract";
import { hrefOf } from "../../link/route";
import { standingAlerts } from "../../state/alerts";
import { useStore } from "../../state/store";
import { Bell } from "../icons";

/** The way to the alerts, with how many are open. */
export function BellLink() {
  const open = useStore((state) => standingAlerts(state).open);
  const worst = useStore((state): Severity | null => standingAlerts(state).worst);
  const told = open === 0 ? "No open alerts" : open === 1 ? "1 open alert" : `${open} open alerts`;
  return (
    <>
      <a className="icon-button bell" href={hrefOf({ view: "alerts" })} aria-label={`Alerts: ${told}`} title={told} data-testid="bell" data-open={open}>
        <Bell />
        {open > 0 && (
          <span className="bell-count" data-severity={worst} aria-hidden="true">
            {open > 99 ? "99+" : open}
          </span>
        )}
      </a>
      <span className="unseen" role="status">
        {open > 0 ? told : ""}
      </span>
    </>
  );
}
