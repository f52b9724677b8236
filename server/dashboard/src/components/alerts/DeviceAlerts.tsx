import { AlertRow } from "./AlertRow";
import { useAlertsOf } from "./useAlerts";

/** The alerts of one device that are not closed. */
export function DeviceAlerts({ device }: { device: string }) {
  const alerts = useAlertsOf(device);
  if (alerts.length === 0) return null;
  return (
    <ul className="alerts device-alerts" aria-label="Alerts" data-testid={`device-alerts-${device}`}>
      {alerts.map((alert) => (
        <AlertRow key={alert.alert} alert={alert} here />
      ))}
    </ul>
  );
}
