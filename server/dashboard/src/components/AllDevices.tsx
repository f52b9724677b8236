import { useMemo, useState } from "react";
import type { Action } from "../contract";
import { sentence } from "../format";
import { CLEAN, useControls, type Group, type Manner } from "../link/operator";
import { tally } from "../state/commands";
import { accessoryTitle, type State } from "../state/model";
import type { Row } from "../state/roster";
import { useStore } from "../state/store";
import { accessoryNames } from "./accessory/kinds";
import { CleanButton } from "./CleanButton";
import { CommandButton } from "./CommandButton";
import { GroupNote } from "./GroupNote";
import { useLock, useViewer } from "./lock";
import { OffButton } from "./OffButton";

/** One press for many devices: all of them, or the group that the list is narrowed to. Each answers for itself. */
export function AllDevices({ rows, tag }: { rows: readonly Row[]; tag: string }) {
  const { operator } = useControls();
  const lock = useLock(null);
  const viewer = useViewer();
  const offered = useStore(accessoriesOf);
  const pending = useStore((state) => state.group !== null && tally(state.group, state.results, Date.now()).pending);
  const [picked, setPicked] = useState("");
  const accessories = useMemo(() => JSON.parse(offered) as [name: string, title: string][], [offered]);
  const target = rows.filter((row) => row.switchable && !row.retired && (tag === "" || row.tags.includes(tag)));
  // One that alone can be switched has its own switches; a group of one was asked for by its tag.
  if (viewer || rows.length < 2 || target.length < (tag === "" ? 2 : 1)) return null;
  const group: Group = tag === "" ? { all: true } : { tag };
  const everyone = target.length === 2 ? "both devices" : `all ${target.length} devices`;
  const whose = tag === "" ? everyone : `every device tagged ${tag}`;
  const away = target.filter(({ online }) => !online).length;
  const [accessory = "", title = ""] = accessories.find(([name]) => name === picked) ?? accessories[0] ?? [];
  const ask = (action: Action, manner?: Manner) => void operator.many(group, accessory, action, manner);
  const press = (action: "on" | "check", label: string) => (
    <CommandButton
      testId={`btn-all-${accessory}-${action}`}
      name={`${title} ${action}, ${whose}`}
      className="switch-side"
      lock={lock}
      busy={pending}
      onPress={() => ask(action)}
    >
      {label}
    </CommandButton>
  );
  return (
    <section className="all" aria-label={sentence(whose)} data-testid="all-devices">
      <strong className="all-target">
        {sentence(tag === "" ? everyone : `tagged ${tag}`)}
        {tag !== "" && <span className="quiet"> · {target.length === 1 ? "1 device" : `${target.length} devices`}</span>}
        {away > 0 && <span className="quiet"> · {away} offline</span>}
      </strong>
      <div className="all-accessory">
        <select value={accessory} onChange={(event) => setPicked(event.target.value)} aria-label="What to switch" data-testid="all-accessory">
          {accessories.map(([name, label]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
        <div className="switch" role="group" aria-label={title}>
          {press("on", "On")}
          <OffButton
            testId={`btn-all-${accessory}-off`}
            name={`${title} off, ${whose}`}
            what={`${title} of ${whose}`}
            whose={whose}
            away={away}
            of={target.length}
            lock={lock}
            busy={pending}
            onPress={(manner) => ask("off", manner)}
          />
          {press("check", "Check")}
        </div>
      </div>
      <CleanButton
        testId="btn-all-clean"
        whose={whose}
        away={away}
        of={target.length}
        lock={lock}
        pending={pending}
        onConfirm={(manner) => void operator.many(group, CLEAN, "clean", manner)}
      />
      <GroupNote />
    </section>
  );
}

/** Every accessory that some device in service has, once, with the title that the first of them gives it. */
function accessoriesOf(state: State): string {
  const titles = new Map<string, string>();
  for (const device of Object.values(state.devices))
    for (const name of device.profile.retired ? [] : accessoryNames(device)) if (!titles.has(name)) titles.set(name, accessoryTitle(device, name));
  return JSON.stringify([...titles]);
}
