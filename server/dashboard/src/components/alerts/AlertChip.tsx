import { SeverityMark } from "./SeverityMark";
import { useAlertsOf } from "./useAlerts";

/** At a device's name: its most urgent alert, and how many there are. */
export function AlertChip({ device }: { device: string }) {
  const alerts = useAlertsOf(device);
  const [worst] = alerts;
  if (!worst) return null;
  return (
    <span className="alert-chip" data-severity={worst.severity} title={alerts.map(({ message }) => message).join("\n")} data-testid={`alerts-${device}`}>
      <SeverityMark severity={worst.severity} />
      {alerts.length === 1 ? "1 alert" : `${alerts.length} alerts`}
    </span>
  );
}
