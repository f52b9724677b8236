import type { Action } from "../contract";
import { ago, sentence } from "../format";
import { useControls } from "../link/operator";
import { reportAgeMs, statusLimitMs } from "../state/freshness";
import { causeName } from "../state/log";
import type { Accessory, Device } from "../state/model";
import { useStore } from "../state/store";
import { useNow } from "../state/ticker";
import { AskNote, useStanding } from "./AskNote";
import { CommandButton } from "./CommandButton";
import { Refresh } from "./icons";
import { LampArt } from "./LampArt";
import { useLock } from "./lock";
import { WatchArt } from "./WatchArt";

const LIGHT = "breath_light";
const INFRARED = "infrared_sensor";

/** What a device is thought to have until it has reported anything. */
const USUAL = [LIGHT, INFRARED];

/** The accessories to show: those that were reported, in the usual order first. */
export function accessoryNames(device: Device): string[] {
  const reported = Object.keys(device.accessories);
  if (reported.length === 0) return USUAL;
  return [...USUAL.filter((name) => reported.includes(name)), ...reported.filter((name) => !USUAL.includes(name)).toSorted()];
}

/** One thing that can be switched: what it reported, what is asked of it, and how fresh that is. */
export function AccessoryTile({ device, name }: { device: Device; name: string }) {
  const { operator } = useControls();
  const lock = useLock(device.name);
  const now = useNow();
  const skewMs = useStore((state) => state.skewMs);
  const accessory = device.accessories[name];
  const standing = useStanding(device.name, name, now);
  const reported = accessory?.reported ?? null;
  const title = sentence(name);
  const age = accessory ? reportAgeMs(accessory, now, skewMs) : null;
  const stale = age === null || age > statusLimitMs(device);
  const ask = (action: Action) => void operator.one(device.name, name, action);
  const pending = standing.is === "pending" ? standing.action : null;
  const button = (action: "on" | "off" | "check") => ({
    testId: `btn-${device.name}-${name}-${action}`,
    name: action === "check" ? `Check the ${title.toLowerCase()} of ${device.name}` : `${title} of ${device.name} ${action}`,
    onPress: () => ask(action),
    lock,
    pending: pending === action,
    busy: pending !== null,
  });
  return (
    <section
      className="accessory"
      aria-label={`${title} of ${device.name}`}
      data-kind={name}
      data-testid={`accessory-${device.name}-${name}`}
      data-reported={reported === null ? "unknown" : reported ? "on" : "off"}
      data-pending={pending !== null}
      data-stale={stale || !device.online}
    >
      {name === INFRARED ? (
        <WatchArt watching={reported === true && device.online} motion={device.motion?.motion ?? false} />
      ) : (
        <LampArt lit={reported === true && device.online} level={accessory?.level ?? null} />
      )}
      <div className="accessory-body">
        <h3>{title}</h3>
        <p className="accessory-state">{stateWord(name, reported)}</p>
        <p className="accessory-age">
          {age === null ? "has not reported yet" : `reported ${ago(age)}`}
          {accessory && accessory.cause && accessory.cause !== "user" && ` · ${causeName(accessory.cause)}`}
        </p>
        {name === INFRARED && <MotionLine device={device} watched={reported === true && device.online} now={now + skewMs} />}
        {accessory?.fault && <p className="accessory-fault">{accessory.fault.message || accessory.fault.code}</p>}
      </div>
      <div className="accessory-controls">
        <div className="switch" role="group" aria-label={title}>
          <CommandButton {...button("on")} className="switch-side" reported={reported === true}>
            On
          </CommandButton>
          <CommandButton {...button("off")} className="switch-side" reported={reported === false}>
            Off
          </CommandButton>
        </div>
        <CommandButton {...button("check")} className="button button-quiet">
          {pending !== "check" && <Refresh />}
          Check
        </CommandButton>
      </div>
      <AskNote device={device.name} slot={name} standing={standing} />
      {standing.is === "idle" && <Unmet accessory={accessory} />}
    </section>
  );
}

function stateWord(name: string, reported: boolean | null): string {
  if (reported === null) return "Unknown";
  if (name === INFRARED) return reported ? "Watching" : "Not watching";
  return reported ? "On" : "Off";
}

/** What was asked for and did not come true. */
function Unmet({ accessory }: { accessory: Accessory | undefined }) {
  if (!accessory || accessory.desired === null || accessory.desired === accessory.reported) return null;
  return <p className="ask-note" data-is="unmet">{`last asked: ${accessory.desired ? "on" : "off"} — not what it reports`}</p>;
}

/** `now` is the relay's time. Where nobody watches, a movement that began has no known end: it is not going on. */
function MotionLine({ device, watched, now }: { device: Device; watched: boolean; now: number }) {
  const { motion } = device;
  if (!motion) return <p className="motion">No motion seen yet</p>;
  const moving = motion.motion && watched;
  return (
    <div className="motion" data-now={moving} data-testid={`motion-${device.name}`} data-count={motion.count}>
      <p>{moving ? "Motion now" : `Last motion ${ago(Math.max(0, now - motion.at))}`}</p>
      {motion.count > 0 && <p className="motion-count">{motion.count} since start</p>}
    </div>
  );
}
