/** The page: header, what is wrong if anything is, the devices, and what happened lately. */

import { useEffect } from "react";
import { number } from "../format";
import { isCut } from "../state/freshness";
import type { State } from "../state/model";
import { useStore } from "../state/store";
import { Activity } from "./Activity";
import { AllDevices } from "./AllDevices";
import { Banner } from "./Banner";
import { Devices } from "./Devices";
import { Header } from "./Header";
import { TokenForm } from "./TokenForm";

/** What the browser's tab says: the reading of a single device, or how many are online. */
export function pageTitle(state: State): string {
  const devices = Object.values(state.devices);
  const [first] = devices;
  if (state.link.state === "unauthenticated") return "Sign in · Breathlight";
  if (state.ready && isCut(state)) return "Not connected · Breathlight";
  if (!first) return "Breathlight";
  const online = devices.filter((device) => device.online).length;
  if (devices.length > 1) return `${online} of ${devices.length} online · Breathlight`;
  if (!first.online) return `${first.name} offline · Breathlight`;
  const temperature = first.readings["temperature"]?.value;
  return typeof temperature === "number"
    ? `${number("temperature", temperature)} °C · ${first.name} · Breathlight`
    : `${first.name} · Breathlight`;
}

export function App({ only }: { only: string | null }) {
  const title = useStore(pageTitle);
  const cut = useStore(isCut);
  const asksForToken = useStore((state) => state.link.state === "unauthenticated");
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
            {only !== null && (
              <p className="only">
                Only <strong>{only}</strong> is shown. <a href={location.pathname}>Show all devices</a>
              </p>
            )}
            <AllDevices />
            <Devices only={only} />
          </main>
          <Activity />
        </div>
      )}
    </div>
  );
}
