/** The page: header, what is wrong if anything is, the devices, and what happened lately. */

import { useEffect } from "react";
import { isCut } from "../state/freshness";
import { useStore } from "../state/store";
import { Activity } from "./Activity";
import { AllDevices } from "./AllDevices";
import { Banner } from "./Banner";
import { Devices } from "./Devices";
import { Header } from "./Header";
import { pageTitle } from "./title";
import { TokenForm } from "./TokenForm";

export function App({ only }: { only: string | null }) {
  const title = useStore(pageTitle);
  const cut = useStore(isCut);
  const asksForToken = useStore((state) => state.link.state === "unauthenticated");
  const viewer = useStore((state) => state.role === "viewer");
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
            {viewer && <p className="only">You are signed in to look: your token may not switch anything.</p>}
            <AllDevices />
            <Devices only={only} />
          </main>
          <Activity />
        </div>
      )}
    </div>
  );
}
