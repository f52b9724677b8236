import { useState } from "react";
import { tally, type Tally } from "../state/commands";
import { nameOf } from "../state/model";
import { store, useStore } from "../state/store";
import { useNow } from "../state/ticker";
import { Close } from "./icons";

/** Names that are written out at once. */
const SHOWN = 10;

/** What became of the newest command to many: how many confirmed it, and by name those that did not. */
export function GroupNote() {
  const group = useStore((state) => state.group);
  const results = useStore((state) => state.results);
  const now = useNow();
  if (!group) return null;
  const told = tally(group, results, now);
  const { asked, done, queued, failed, pending } = told;
  const silent = failed.filter(({ code }) => code === "no_answer");
  return (
    <div className="all-note" role="status" data-testid="all-note" data-pending={pending} data-failed={failed.length}>
      <p>
        <strong>{group.label}</strong>{" "}
        {group.refused && group.command === null ? (
          <>
            refused: {group.refused.message} <code>{group.refused.code}</code>
          </>
        ) : (
          summary(told)
        )}
      </p>
      {asked > 0 && (
        <progress className="all-progress" max={asked} value={done} aria-label={`${done} of ${asked} confirmed`} data-pending={pending} />
      )}
      {silent.length > 0 && <Names label="Did not answer" failed={silent} />}
      {failed.length > silent.length && <Reasons failed={failed.filter(({ code }) => code !== "no_answer")} />}
      {queued > 0 && <p className="quiet">Queued ones are carried out when the device comes back in time.</p>}
      {!pending && (
        <button type="button" className="ask-dismiss" aria-label="Dismiss" onClick={() => store.act({ deed: "dismissed_group" })}>
          <Close />
        </button>
      )}
    </div>
  );
}

function summary({ asked, done, queued, failed, pending }: Tally): string {
  const rest = [queued > 0 && `${queued} queued`, failed.length > 0 && `${failed.length} not done`].filter(Boolean);
  return `${[`${done} of ${asked} confirmed`, ...rest].join(", ")}${pending ? "…" : ""}`;
}

function Names({ label, failed }: { label: string; failed: Tally["failed"] }) {
  const [all, setAll] = useState(false);
  const devices = useStore((state) => state.devices);
  const shown = all ? failed : failed.slice(0, SHOWN);
  return (
    <p className="all-names" data-testid="all-silent">
      <span className="all-reason">{label}:</span>{" "}
      {shown.map(({ device }, index) => (
        <span key={device}>
          {index > 0 && ", "}
          <b>{devices[device] ? nameOf(devices[device]) : device}</b>
        </span>
      ))}
      {shown.length < failed.length && (
        <>
          {" "}
          <button type="button" className="link-button" onClick={() => setAll(true)}>
            and {failed.length - shown.length} more
          </button>
        </>
      )}
    </p>
  );
}

/** Those that failed for a reason that was told, one line per reason. */
function Reasons({ failed }: { failed: Tally["failed"] }) {
  const reasons: Record<string, Tally["failed"]> = {};
  for (const one of failed) (reasons[`${one.code}\n${one.message}`] ??= []).push(one);
  return Object.entries(reasons).map(([key, those]) => {
    const [code = "", message = ""] = key.split("\n");
    return <Names key={key} label={`${message} (${code})`} failed={those} />;
  });
}
