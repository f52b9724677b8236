/** Alerts out of the store, for components: each selector gives a primitive or what the store holds. */

import { useMemo } from "react";
import type { Alert } from "../../contract";
import { alertsOf, inUrgency } from "../../state/alerts";
import { useStore } from "../../state/store";

/** The alerts of one device (null: of the site) that are not closed, the most urgent first. */
export function useAlertsOf(device: string | null): readonly Alert[] {
  const alerts = useStore((state) => state.alerts);
  return useMemo(() => alertsOf({ alerts }, device), [alerts, device]);
}

/** All alerts that are open, or all that were acknowledged, the most urgent first. */
export function useAlertsIn(state: "open" | "acknowledged"): readonly Alert[] {
  const alerts = useStore((all) => all.alerts);
  return useMemo(() => inUrgency(Object.values(alerts).filter((alert) => alert.state === state)), [alerts, state]);
}
