import type { Severity } from "../../contract";
import { severityName } from "../../words";

/** How urgent it is, by colour and by shape: an octagon, a triangle, a circle. */
export function SeverityMark({ severity, quiet }: { severity: Severity; quiet?: boolean }) {
  return (
    <svg className="severity" data-severity={severity} data-quiet={quiet ?? false} viewBox="0 0 20 20" role="img" aria-label={severityName(severity)}>
      {severity === "critical" && <path className="severity-shape" d="M6.7 2h6.6L18 6.7v6.6L13.3 18H6.7L2 13.3V6.7Z" />}
      {severity === "warning" && <path className="severity-shape" d="M10 2.2 18.6 17.4H1.4Z" />}
      {severity === "info" && <circle className="severity-shape" cx="10" cy="10" r="8" />}
      {severity === "info" ? (
        <path className="severity-sign" d="M10 9v5M10 5.8v.2" />
      ) : (
        <path className="severity-sign" d={severity === "critical" ? "M10 5.5v5.2M10 13.9v.2" : "M10 7.6v4.4M10 14.6v.2"} />
      )}
    </svg>
  );
}
