/** The page: header, what is wrong if anything is, the devices, and what happened lately. */

import { useEffect } from "react";
import { useRoute, type Route } from "../link/route";
import { isCut } from "../state/freshness";
import { useStore } from "../state/store";
import { Activity } from "./Activity";
import { AlertsView } from "./alerts/AlertsView";
import { SiteAlerts } from "./alerts/SiteAlerts";
import { Banner } from "./Banner";
import { ConnectionsView } from "./connections/ConnectionsView";
import { Devices } from "./Devices";
import { Header } from "./Header";
import { pageTitle } from "./title";
import { SettingsView } from "./settings/SettingsView";
import { TokenForm } from "./TokenForm";
import { LogView } from "./why/LogView";

export function App({ only }: { only: string | null }) {
  const title = useStore(pageTitle);
  const cut = useStore(isCut);
  const asksForToken = useStore((state) => state.link.state === "unauthenticated");
  const route = useRoute();
  const ready = useStore((state) => state.ready);
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <div className="page" data-cut={cut && ready}>
      <Header />
      <Banner />
      {asksForToken ? (
        <TokenForm />
      ) : (
        <div className="columns">
          <main className="devices">
            <View route={route} only={only} />
          </main>
          <Activity />
        </div>
      )}
    </div>
  );
}

function View({ route, only }: { route: Route; only: string | null }) {
  const viewer = useStore((state) => state.role === "viewer");
  if (route.view === "alerts") return <AlertsView />;
  if (route.view === "connections") return <ConnectionsView />;
  if (route.view === "log") return <LogView device={route.device} key={route.device} />;
  if (route.view === "settings") return <SettingsView device={route.device} key={route.device} />;
  return (
    <>
      {only !== null && (
        <p className="only">
          Only <strong>{only}</strong> is shown. <a href={location.pathname}>Show all devices</a>
        </p>
      )}
      {viewer && (
        <p className="only" data-testid="viewer-note">
          You are signed in to look: your token may not switch anything, so there are no switches.
        </p>
      )}
      <SiteAlerts />
      <Devices only={only} />
    </>
  );
}
