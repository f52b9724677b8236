import { useState } from "react";
import type { Action } from "../contract";
import { sentence } from "../format";
import { CLEAN, useControls, type Group } from "../link/operator";
import { tally } from "../state/commands";
import { store, useStore } from "../state/store";
import { useNow } from "../state/ticker";
import { CleanButton } from "./CleanButton";
import { CommandButton } from "./CommandButton";
import { Close } from "./icons";
import { useLock } from "./lock";

const SWITCHED = [
  { accessory: "breath_light", name: "Light" },
  { accessory: "infrared_sensor", name: "Infrared" },
];
const ACTIONS: readonly { action: Action; name: string }[] = [
  { action: "on", name: "On" },
  { action: "off", name: "Off" },
  { action: "check", name: "Check" },
];

/** One press for many devices: all of them, or those with a tag. Each answers for itself. */
export function AllDevices() {
  const { operator } = useControls();
  const lock = useLock(null);
  const count = useStore((state) => Object.keys(state.devices).length);
  const tagList = useStore((state) =>
    [...new Set(Object.values(state.devices).flatMap(({ tags }) => tags))].toSorted().join("\n"),
  );
  const pending = useStore((state) => state.group !== null && tally(state.group, state.results, Date.now()).pending);
  const [tag, setTag] = useState("");
  if (count < 2) return null;
  const tags = tagList === "" ? [] : tagList.split("\n");
  const group: Group = tags.includes(tag) ? { tag } : { all: true };
  const everyone = count === 2 ? "both devices" : `all ${count} devices`;
  const whose = "tag" in group ? `every device tagged ${group.tag}` : everyone;
  return (
    <section className="all" aria-label="All devices" data-testid="all-devices">
      <div className="all-target">
        {tags.length > 0 ? (
          <select value={tag} onChange={(event) => setTag(event.target.value)} aria-label="Which devices">
            <option value="">{sentence(everyone)}</option>
            {tags.map((one) => (
              <option key={one} value={one}>
                Tagged {one}
              </option>
            ))}
          </select>
        ) : (
          <strong>{sentence(everyone)}</strong>
        )}
      </div>
      {SWITCHED.map(({ accessory, name }) => (
        <div key={accessory} className="all-accessory">
          <span>{name}</span>
          <div className="switch" role="group" aria-label={name}>
            {ACTIONS.map(({ action, name: label }) => (
              <CommandButton
                key={action}
                testId={`btn-all-${accessory}-${action}`}
                name={`${name} ${action}, ${whose}`}
                className="switch-side"
                lock={lock}
                busy={pending}
                onPress={() => void operator.many(group, accessory, action)}
              >
                {label}
              </CommandButton>
            ))}
          </div>
        </div>
      ))}
      <CleanButton
        testId="btn-all-clean"
        whose={whose}
        lock={lock}
        pending={pending}
        onConfirm={() => void operator.many(group, CLEAN, "clean")}
      />
      <GroupNote />
    </section>
  );
}

function GroupNote() {
  const group = useStore((state) => state.group);
  const results = useStore((state) => state.results);
  const now = useNow();
  if (!group) return null;
  const { asked, done, failed, pending } = tally(group, results, now);
  return (
    <div className="all-note" role="status" data-testid="all-note" data-pending={pending} data-failed={failed.length}>
      <p>
        <strong>{group.label}</strong>{" "}
        {group.refused && group.command === null ? (
          <>
            refused: {group.refused.message} <code>{group.refused.code}</code>
          </>
        ) : (
          `${done} of ${asked} confirmed${failed.length > 0 ? `, ${failed.length} failed` : ""}${pending ? "…" : ""}`
        )}
      </p>
      {failed.length > 0 && (
        <ul>
          {failed.slice(0, 12).map(({ device, code, message }) => (
            <li key={device}>
              <b>{device}</b> {message} <code>{code}</code>
            </li>
          ))}
          {failed.length > 12 && <li>and {failed.length - 12} more</li>}
        </ul>
      )}
      {!pending && (
        <button type="button" className="ask-dismiss" aria-label="Dismiss" onClick={() => store.act({ deed: "dismissed_group" })}>
          <Close />
        </button>
      )}
    </div>
  );
}
