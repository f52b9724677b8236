import { useRef } from "react";
import { ago } from "../../format";
import { useControls } from "../../link/operator";
import { reportAgeMs, statusLimitMs } from "../../state/freshness";
import { accessoryTitle, nameOf, type Device } from "../../state/model";
import { useStore } from "../../state/store";
import { useNow } from "../../state/ticker";
import { Dialog } from "../Dialog";
import { useLock, useViewer } from "../lock";
import { QueueChoice, useQueueing } from "../QueueChoice";
import { AskNote } from "./AskNote";
import { Controls } from "./Controls";
import { kindOf, stateWord, type Kind } from "./kinds";
import { LampArt } from "./LampArt";
import { useStanding, type Standing } from "./standing";
import { SwitchArt } from "./SwitchArt";
import { Truths } from "./Truths";
import { WatchArt } from "./WatchArt";
import { Why } from "./Why";

/** One thing that can be switched: what it reported and why, what is asked of it, and how fresh that is. */
export function AccessoryTile({ device, name }: { device: Device; name: string }) {
  const now = useNow();
  const skewMs = useStore((state) => state.skewMs);
  const viewer = useViewer();
  const standing = useStanding(device.name, name, now);
  const accessory = device.accessories[name];
  const reported = accessory?.reported ?? null;
  const title = accessoryTitle(device, name);
  const kind = kindOf(device, name);
  const age = accessory ? reportAgeMs(accessory, now, skewMs) : null;
  const stale = age === null || age > statusLimitMs(device);
  return (
    <section
      className="accessory"
      aria-label={`${title} of ${nameOf(device)}`}
      data-kind={kind}
      data-testid={`accessory-${device.name}-${name}`}
      data-reported={reported === null ? "unknown" : reported ? "on" : "off"}
      data-desired={accessory?.desired === true ? "on" : accessory?.desired === false ? "off" : "none"}
      data-pending={standing.is === "pending"}
      data-queued={standing.is === "queued"}
      data-stale={stale || !device.online}
    >
      <Art kind={kind} device={device} reported={reported} level={accessory?.level ?? null} />
      <div className="accessory-body">
        <h3>{title}</h3>
        <p className="accessory-state">{stateWord(kind, reported)}</p>
        <Why accessory={accessory} info={device.infos[name]} now={now + skewMs} />
        {kind === "infrared_watch" && <MotionLine device={device} watched={reported === true && device.online} now={now + skewMs} />}
      </div>
      <Truths {...{ accessory, device, age, stale }} />
      {!viewer && <Controls device={device} accessory={name} standing={standing} />}
      <Note device={device} accessory={name} standing={standing} />
    </section>
  );
}

function Art({ kind, device, reported, level }: { kind: Kind; device: Device; reported: boolean | null; level: number | null }) {
  const on = reported === true && device.online;
  if (kind === "infrared_watch") return <WatchArt watching={on} motion={device.motion?.motion ?? false} />;
  return kind === "switch" ? <SwitchArt on={on} /> : <LampArt lit={on} level={level} />;
}

/** What became of the newest ask; an *off* that was refused because the device is away may wait for it. */
function Note({ device, accessory, standing }: { device: Device; accessory: string; standing: Standing }) {
  const { operator } = useControls();
  const lock = useLock(device.name, "off");
  const dialog = useRef<HTMLDialogElement>(null);
  const queueing = useQueueing(1, 1);
  const whose = nameOf(device);
  return (
    <>
      <AskNote device={device.name} slot={accessory} standing={standing} onQueue={() => dialog.current?.showModal()} />
      {standing.is === "failed" && standing.code === "device_offline" && (
        <Dialog
          ref={dialog}
          question={`Queue the off for ${whose}?`}
          confirm="Queue it"
          testId={`btn-${device.name}-${accessory}-queue-confirm`}
          lock={lock}
          onConfirm={() => void operator.one(device.name, accessory, "off", queueing.manner)}
        >
          <QueueChoice queueing={queueing} whose={whose} />
        </Dialog>
      )}
    </>
  );
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
