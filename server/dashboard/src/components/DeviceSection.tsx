import { memo, useId } from "react";
import { duration, moment, NO_VALUE } from "../format";
import { CLEAN, useControls } from "../link/operator";
import { inOrder, told } from "../quantities";
import type { Device } from "../state/model";
import { useStore } from "../state/store";
import { useNow, useTick } from "../state/ticker";
import { DeviceChart } from "../chart/DeviceChart";
import { accessoryNames, AccessoryTile } from "./AccessoryTile";
import { AskNote, useStanding } from "./AskNote";
import { CleanButton } from "./CleanButton";
import { Chevron } from "./icons";
import { useLock } from "./lock";
import { MachineReadings, RoomReadings } from "./Readings";

interface Props {
  name: string;
  open: boolean;
  onToggle: (name: string, open: boolean) => void;
}

/** One device: a row that is always there, and below it, when open, all that it has. */
export const DeviceSection = memo(function DeviceSection({ name, open, onToggle }: Props) {
  const device = useStore((state) => state.devices[name]);
  const body = useId();
  if (!device) return null;
  return (
    <section className="device" data-testid={`device-${name}`} data-online={device.online} data-open={open} aria-label={name}>
      <header className="device-head">
        <h2>
          <button type="button" className="device-toggle" aria-expanded={open} aria-controls={body} onClick={() => onToggle(name, !open)}>
            <Chevron />
            <span className="dot" />
            <span className="device-name">{name}</span>
          </button>
        </h2>
        <Availability device={device} />
        <span className="device-tags">
          {device.simulated && <span className="badge">simulated</span>}
          {device.tags.map((tag) => (
            <span key={tag} className="tag">
              {tag}
            </span>
          ))}
        </span>
        {open ? <Clean device={name} /> : <Glance device={device} />}
      </header>
      {open && (
        <div className="device-body" id={body}>
          <div className="device-accessories">
            {accessoryNames(device).map((accessory) => (
              <AccessoryTile key={accessory} device={device} name={accessory} />
            ))}
          </div>
          <div className="device-readings">
            <RoomReadings device={device} />
            <DeviceChart
              device={name}
              available={inOrder(Object.keys(device.readings)).join(" ")}
              intervalS={device.sampleIntervalS}
            />
          </div>
          <Training device={device} />
          <MachineReadings device={device} />
        </div>
      )}
    </section>
  );
});

function Availability({ device }: { device: Device }) {
  const skewMs = useStore((state) => state.skewMs);
  const text = useTick((now) => {
    const span = duration((now + skewMs - device.since) / 1000);
    return device.online ? `online for ${span}` : `offline since ${moment(device.since, now + skewMs)}, ${span}`;
  });
  return <span className="device-since">{text}</span>;
}

function Clean({ device }: { device: string }) {
  const { operator } = useControls();
  const lock = useLock(device);
  const standing = useStanding(device, CLEAN, useNow());
  return (
    <div className="device-clean">
      <AskNote device={device} slot={CLEAN} standing={standing} />
      <CleanButton
        testId={`btn-${device}-clean`}
        whose={device}
        lock={lock}
        pending={standing.is === "pending"}
        onConfirm={() => void operator.one(device, CLEAN, "clean")}
      />
    </div>
  );
}

/** What a closed row tells: the first readings, the light, motion. */
function Glance({ device }: { device: Device }) {
  const quantities = inOrder(Object.keys(device.readings)).slice(0, 2);
  return (
    <span className="glance">
      {quantities.map((quantity) => {
        const reading = device.readings[quantity];
        const { text, unit } = told(quantity, reading?.value ?? null, reading?.unit ?? "");
        return (
          <span key={quantity} className="glance-value" data-failed={text === NO_VALUE}>
            {text}
            <span className="unit">{unit}</span>
          </span>
        );
      })}
      <span className="glance-light" data-on={device.accessories["breath_light"]?.reported === true} title="Light" />
      <span className="glance-motion" data-now={device.motion?.motion === true} title="Motion" />
    </span>
  );
}

function Training({ device }: { device: Device }) {
  const { training } = device;
  if (!training || training.phase === "skipped") return null;
  const progress = training.status && typeof training.progress === "number" ? `, ${Math.round(training.progress * 100)} %` : "";
  const phase = training.phase ?? (training.status ? "started" : "finished");
  return (
    <p className="training" data-testid={`training-${device.name}`} data-running={training.status}>
      Training {phase}
      {progress}
      {training.reason ? `: ${training.reason}` : ""}
    </p>
  );
}
