/** Which view the address names. Views live behind the `#`, so that a reload and the back button need nothing of the relay. */

import { useSyncExternalStore } from "react";

export type Route =
  | { view: "devices" }
  | { view: "alerts" }
  | { view: "connections" }
  | { view: "log"; device: string }
  | { view: "settings"; device: string };

/** The view that a hash names; one that names nothing is the devices. */
export function routeOf(hash: string): Route {
  const [view, device] = hash.replace(/^#\/?/, "").split("/");
  if (view === "alerts" || view === "connections") return { view };
  if ((view === "log" || view === "settings") && device) return { view, device: decoded(device) };
  return { view: "devices" };
}

/** The address of a view. */
export function hrefOf(route: Route): string {
  return "device" in route ? `#${route.view}/${encodeURIComponent(route.device)}` : `#${route.view}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function subscribe(listener: () => void): () => void {
  const changed = () => {
    listener();
    // A view is long, and the next one starts at its top.
    scrollTo({ top: 0 });
  };
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}

/** The view that is shown. */
export function useRoute(): Route {
  return routeOf(useSyncExternalStore(subscribe, () => location.hash, () => ""));
}
