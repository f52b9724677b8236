import { useState } from "react";
import type { Alert } from "../../contract";
import { alerts as alertsByHttp } from "../../link/http";
import { PagedList } from "../../link/paged";
import { useStore } from "../../state/store";
import { MorePages, usePages } from "../MorePages";
import { ViewHead } from "../ViewHead";
import { AlertRow } from "./AlertRow";
import { useAlertsIn } from "./useAlerts";

const PAGE = 30;

type Tab = "open" | "acknowledged" | "closed";

/** Every alert: those that are open, those that somebody has seen, and those that are over. */
export function AlertsView() {
  const [tab, setTab] = useState<Tab>("open");
  const open = useAlertsIn("open");
  const acknowledged = useAlertsIn("acknowledged");
  // What closed while the page was cut off is in the history alone.
  const joined = useStore((state) => state.joined);
  const tabs: readonly { tab: Tab; label: string }[] = [
    { tab: "open", label: `Open ${open.length}` },
    { tab: "acknowledged", label: `Acknowledged ${acknowledged.length}` },
    { tab: "closed", label: "History" },
  ];
  return (
    <section className="view" aria-label="Alerts" data-testid="alerts-view">
      <ViewHead title="Alerts">
        <div className="ranges" role="group" aria-label="Which alerts">
          {tabs.map(({ tab: one, label }) => (
            <button key={one} type="button" aria-pressed={one === tab} onClick={() => setTab(one)} data-testid={`alerts-${one}`}>
              {label}
            </button>
          ))}
        </div>
      </ViewHead>
      {tab === "open" && <Standing alerts={open} none="Nothing is open. All is as the rules want it." />}
      {tab === "acknowledged" && <Standing alerts={acknowledged} none="None is acknowledged and still so." />}
      {tab === "closed" && <Past key={joined} />}
    </section>
  );
}

function Standing({ alerts, none }: { alerts: readonly Alert[]; none: string }) {
  if (alerts.length === 0) return <p className="quiet view-none">{none}</p>;
  return (
    <ul className="alerts">
      {alerts.map((alert) => (
        <AlertRow key={alert.alert} alert={alert} />
      ))}
    </ul>
  );
}

/** Closed ones: those that this page saw close, over the relay's history. */
function Past() {
  const live = useStore((state) => state.closed);
  const [list] = useState(() => new PagedList((before) => alertsByHttp("closed", PAGE, before), ({ alert }) => alert));
  const pages = usePages(list);
  const known = new Set(live.map(({ alert }) => alert));
  const all = [...live, ...pages.items.filter(({ alert }) => !known.has(alert))];
  return (
    <>
      {all.length === 0 && pages.state === "loaded" ? (
        <p className="quiet view-none">There has been no alert yet.</p>
      ) : (
        <ul className="alerts">
          {all.map((alert) => (
            <AlertRow key={alert.alert} alert={alert} />
          ))}
        </ul>
      )}
      <MorePages list={list} />
    </>
  );
}
