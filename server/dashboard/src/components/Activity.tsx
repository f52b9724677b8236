import { memo } from "react";
import { moment } from "../format";
import { hrefOf } from "../link/route";
import { nameOf, type LogEntry } from "../state/model";
import { useStore } from "../state/store";
import { useTick } from "../state/ticker";

const SHOWN = 60;

/** What happened lately, newest first. */
export function Activity() {
  const log = useStore((state) => state.log);
  // Today's start is enough: an entry of another day tells its date.
  const today = useTick((now) => new Date(now).setHours(0, 0, 0, 0));
  const many = useStore((state) => Object.keys(state.devices).length > 1);
  const operator = useStore((state) => state.role === "operator");
  return (
    <aside className="activity" aria-label="Activity">
      <h2>
        Activity
        {operator && (
          <a href={hrefOf({ view: "connections" })} title="Who keeps up with what the relay sends" data-testid="to-connections">
            Connections
          </a>
        )}
      </h2>
      {log.length === 0 ? (
        <p className="activity-empty">Commands, motion and devices that come or go will be listed here.</p>
      ) : (
        <ol role="log" aria-live="polite" aria-relevant="additions" data-testid="activity">
          {log.slice(0, SHOWN).map((entry) => (
            <Entry key={entry.key} entry={entry} named={many} now={today} />
          ))}
        </ol>
      )}
    </aside>
  );
}

const Entry = memo(function Entry({ entry, named, now }: { entry: LogEntry; named: boolean; now: number }) {
  const name = useStore((state) => {
    const device = state.devices[entry.device ?? ""];
    return device ? nameOf(device) : entry.device;
  });
  return (
    <li data-kind={entry.kind} data-tone={entry.tone}>
      <time dateTime={new Date(entry.at).toISOString()}>{moment(entry.at, now)}</time>
      <span className="activity-text">
        {named && entry.device && <b>{name}</b>} {entry.text}
      </span>
    </li>
  );
});
