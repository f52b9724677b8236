import { useState } from "react";
import type { Action } from "../../contract";
import { useControls, type Manner } from "../../link/operator";
import { accessoryTitle, nameOf, type Device } from "../../state/model";
import { CommandButton } from "../CommandButton";
import { Refresh } from "../icons";
import { useLock } from "../lock";
import { OffButton } from "../OffButton";
import { kindOf } from "./kinds";
import { LightPopover } from "./LightPopover";
import type { Standing } from "./standing";

/** For how long an *on* holds, in seconds; 0: until it is switched off. */
const LEASES = [
  { s: 0, label: "until off" },
  { s: 600, label: "for 10 min" },
  { s: 3600, label: "for 1 h" },
  { s: 4 * 3600, label: "for 4 h" },
  { s: 12 * 3600, label: "for 12 h" },
];

/** What may be asked of one accessory: on (for how long), off, how it breathes, a check. */
export function Controls({ device, accessory, standing }: { device: Device; accessory: string; standing: Standing }) {
  const { operator } = useControls();
  const lock = useLock(device.name);
  const offLock = useLock(device.name, "off");
  const [leaseS, setLeaseS] = useState(0);
  const title = accessoryTitle(device, accessory);
  const reported = device.accessories[accessory]?.reported ?? null;
  const pending = standing.is === "pending" ? standing.action : null;
  const lease: Manner = leaseS > 0 ? { lease_s: leaseS } : {};
  const ask = (action: Action, manner?: Manner) => void operator.one(device.name, accessory, action, manner);
  const whose = nameOf(device);
  const id = `btn-${device.name}-${accessory}`;
  const busy = pending !== null;
  return (
    <div className="accessory-controls">
      <div className="switch" role="group" aria-label={title}>
        <CommandButton
          testId={`${id}-on`}
          name={`${title} of ${whose} on`}
          className="switch-side"
          lock={lock}
          pending={pending === "on"}
          busy={busy}
          reported={reported === true}
          onPress={() => ask("on", lease)}
        >
          On
        </CommandButton>
        <OffButton
          testId={`${id}-off`}
          name={`${title} of ${whose} off`}
          what={`${title} of ${whose}`}
          whose={whose}
          away={device.online ? 0 : 1}
          of={1}
          lock={offLock}
          pending={pending === "off"}
          busy={busy}
          reported={reported === false}
          onPress={(manner) => ask("off", manner)}
        />
      </div>
      <CommandButton
        testId={`${id}-check`}
        name={`Check the ${title.toLowerCase()} of ${whose}`}
        className="button button-quiet"
        lock={lock}
        pending={pending === "check"}
        busy={busy}
        onPress={() => ask("check")}
      >
        {pending !== "check" && <Refresh />}
        Check
      </CommandButton>
      {!device.profile.retired && device.online && (
        <div className="accessory-more">
          <select
            className="lease"
            aria-label={`How long an on of the ${title.toLowerCase()} of ${whose} holds`}
            value={leaseS}
            onChange={(event) => setLeaseS(Number(event.target.value))}
            data-testid={`${id}-lease`}
          >
            {LEASES.map(({ s, label }) => (
              <option key={s} value={s}>
                On {label}
              </option>
            ))}
          </select>
          {kindOf(device, accessory) === "breathing_light" && (
            <LightPopover
              whose={whose}
              testId={`${id}-light`}
              reported={device.accessories[accessory]?.light ?? null}
              lock={lock}
              busy={busy}
              onApply={(light) => ask("on", { ...lease, light })}
            />
          )}
        </div>
      )}
    </div>
  );
}

