import { AlertRow } from "./AlertRow";
import { useAlertsOf } from "./useAlerts";

/** What is the matter with the site as a whole: one line instead of one for each device. */
export function SiteAlerts() {
  const alerts = useAlertsOf(null);
  if (alerts.length === 0) return null;
  return (
    <ul className="alerts site-alerts" aria-label="Alerts of the site" data-testid="site-alerts">
      {alerts.map((alert) => (
        <AlertRow key={alert.alert} alert={alert} />
      ))}
    </ul>
  );
}
