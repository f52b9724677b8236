/** The page in the few words of a browser's tab. */

import { number } from "../format";
import { standingAlerts } from "../state/alerts";
import { isCut } from "../state/freshness";
import { nameOf, type State } from "../state/model";

/** What the browser's tab says: how many alerts are open, then the reading of a single device, or how many are online. */
export function pageTitle(state: State): string {
  const { open } = standingAlerts(state);
  return open > 0 && !isCut(state) ? `(${open}) ${plainTitle(state)}` : plainTitle(state);
}

function plainTitle(state: State): string {
  const devices = Object.values(state.devices);
  const [first] = devices;
  if (state.link.state === "unauthenticated") return "Sign in · Breathlight";
  if (state.ready && isCut(state)) return "Not connected · Breathlight";
  if (!first) return "Breathlight";
  const online = devices.filter((device) => device.online).length;
  if (devices.length > 1) return `${online} of ${devices.length} online · Breathlight`;
  if (!first.online) return `${nameOf(first)} offline · Breathlight`;
  const temperature = first.readings["temperature"]?.value;
  return typeof temperature === "number"
    ? `${number("temperature", temperature)} °C · ${nameOf(first)} · Breathlight`
    : `${nameOf(first)} · Breathlight`;
}
