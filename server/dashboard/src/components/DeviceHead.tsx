import { duration, moment, NO_VALUE } from "../format";
import { CLEAN, useControls } from "../link/operator";
import { findingName } from "../insight/words";
import { hrefOf } from "../link/route";
import { inOrder, told } from "../quantities";
import { worst } from "../state/insight";
import { accessoryTitle, nameOf, type Device } from "../state/model";
import { useStore } from "../state/store";
import { useNow, useTick } from "../state/ticker";
import { absenceName } from "../words";
import { AskNote } from "./accessory/AskNote";
import { accessoryNames, kindOf } from "./accessory/kinds";
import { useStanding } from "./accessory/standing";
import { AlertChip } from "./alerts/AlertChip";
import { SeverityMark } from "./alerts/SeverityMark";
import { CleanButton } from "./CleanButton";
import { Chevron, History, Pencil } from "./icons";
import { useLock, useViewer } from "./lock";

interface Props {
  device: Device;
  open: boolean;
  /** The id of what it opens. */
  body: string;
  onToggle: (name: string, open: boolean) => void;
}

/** The row of a device that is always there: who and where it is, whether it is there, and what one may do or see. */
export function DeviceHead({ device, open, body, onToggle }: Props) {
  const { name, profile } = device;
  const title = nameOf(device);
  const viewer = useViewer();
  return (
    <header className="device-head">
      <h2>
        <button type="button" className="device-toggle" aria-expanded={open} aria-controls={body} onClick={() => onToggle(name, !open)}>
          <Chevron />
          <span className="dot" />
          <span className="device-name">{title}</span>
          {title !== name && <span className="device-id">{name}</span>}
        </button>
      </h2>
      <Availability device={device} />
      <span className="device-tags">
        {!open && <AlertChip device={name} />}
        {!open && <FindingChip device={device} />}
        {device.flapping && (
          <span className="badge badge-warn" title="It comes and goes: what it is now will hardly last">
            flapping
          </span>
        )}
        {profile.retired && <span className="badge">retired</span>}
        {device.simulated && <span className="badge">simulated</span>}
        {profile.place && <span className="place">{profile.place}</span>}
        {profile.tags.map((tag) => (
          <span key={tag} className="tag">
            {tag}
          </span>
        ))}
      </span>
      {open ? (
        <div className="device-deeds">
          <a className="button button-quiet" href={hrefOf({ view: "log", device: name })} aria-label={`Why: the log of ${title}`} data-testid={`why-${name}`}>
            <History />
            Why
          </a>
          {!viewer && (
            <>
              <a
                className="button button-quiet"
                href={hrefOf({ view: "settings", device: name })}
                aria-label={`Edit ${title}`}
                data-testid={`edit-${name}`}
              >
                <Pencil />
                Edit
              </a>
              {!profile.retired && accessoryNames(device).length > 0 && <Clean device={device} />}
            </>
          )}
        </div>
      ) : (
        <Glance device={device} />
      )}
    </header>
  );
}

function Availability({ device }: { device: Device }) {
  const skewMs = useStore((state) => state.skewMs);
  const text = useTick((now) => {
    const span = duration((now + skewMs - device.since) / 1000);
    if (device.online) return `online for ${span}`;
    const why = device.reason ? `: ${absenceName(device.reason)}` : "";
    return `offline since ${moment(device.since, now + skewMs)}, ${span}${why}`;
  });
  return (
    <span className="device-since" data-testid={`since-${device.name}`}>
      {text}
    </span>
  );
}

function Clean({ device }: { device: Device }) {
  const { operator } = useControls();
  const lock = useLock(device.name, "clean");
  const standing = useStanding(device.name, CLEAN, useNow());
  return (
    <>
      <CleanButton
        testId={`btn-${device.name}-clean`}
        whose={nameOf(device)}
        away={device.online ? 0 : 1}
        of={1}
        lock={lock}
        pending={standing.is === "pending"}
        onConfirm={(manner) => void operator.one(device.name, CLEAN, "clean", manner)}
      />
      {standing.is !== "idle" && <AskNote device={device.name} slot={CLEAN} standing={standing} />}
    </>
  );
}

/** What a closed device finds unusual itself: the most urgent, and how many. */
function FindingChip({ device }: { device: Device }) {
  const { findings } = device.insight;
  const first = worst(findings);
  if (!first) return null;
  return (
    <span className="finding-chip" title={findings.map(({ kind, cause }) => `${findingName(kind)}: ${cause}`).join("\n")}>
      <SeverityMark severity={first.severity} quiet />
      {findings.length === 1 ? findingName(first.kind) : `${findings.length} findings`}
    </span>
  );
}

/** What a closed row tells: the first readings, what is on, motion. */
function Glance({ device }: { device: Device }) {
  const quantities = inOrder(Object.keys(device.readings)).slice(0, 2);
  const on = accessoryNames(device).filter((name) => kindOf(device, name) === "switch" && device.accessories[name]?.reported === true);
  const watches = accessoryNames(device).some((name) => kindOf(device, name) === "infrared_watch");
  const lights = accessoryNames(device).filter((name) => kindOf(device, name) === "breathing_light");
  return (
    <span className="glance">
      {on.slice(0, 2).map((name) => (
        <span key={name} className="glance-on">
          {accessoryTitle(device, name)}
        </span>
      ))}
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
      {lights.length > 0 && (
        <span className="glance-light" data-on={lights.some((name) => device.accessories[name]?.reported === true)} title="Light" />
      )}
      {watches && <span className="glance-motion" data-now={device.motion?.motion === true} title="Motion" />}
    </span>
  );
}
