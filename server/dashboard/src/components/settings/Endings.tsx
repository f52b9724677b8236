import { useRef, useState } from "react";
import { changeProfile, deleteDevice, replaceDevice } from "../../link/http";
import { hrefOf } from "../../link/route";
import { isCut } from "../../state/freshness";
import { nameOf, type Device } from "../../state/model";
import { useStore } from "../../state/store";
import { Dialog } from "../Dialog";

/** What ends or hands on a device: retire, replace, delete. */
export function Endings({ device }: { device: Device }) {
  const [trouble, setTrouble] = useState("");
  const cut = useStore(isCut);
  const away = cut ? "Not connected to the relay" : null;
  const tell = (doing: Promise<void>, then?: string) => {
    setTrouble("");
    doing.then(
      () => {
        if (then !== undefined) location.hash = then;
      },
      (error: unknown) => setTrouble(error instanceof Error ? error.message : String(error)),
    );
  };
  // While it is connected it would be back at once.
  const lock = away ?? (device.online ? `${nameOf(device)} is connected; stop its agent first` : null);
  return (
    <div className="endings">
      <h3>Out of service</h3>
      <Retire device={device} lock={away} tell={tell} />
      <Replace device={device} lock={lock} tell={tell} />
      <Delete device={device} lock={lock} tell={tell} />
      {trouble && (
        <p className="endings-trouble" role="alert">
          {trouble}
        </p>
      )}
    </div>
  );
}

interface Props {
  device: Device;
  /** Why it cannot be done now. */
  lock: string | null;
  tell: (doing: Promise<void>, then?: string) => void;
}

function Retire({ device, lock, tell }: Props) {
  const { retired } = device.profile;
  return (
    <div className="ending">
      <p>
        <strong>{retired ? "It is retired." : "Retire it."}</strong> A retired device takes no commands and raises no alerts; its history stays.
      </p>
      <button
        type="button"
        className="button"
        disabled={lock !== null}
        title={lock ?? undefined}
        onClick={() => tell(changeProfile(device.name, { retired: !retired }))}
        data-testid="retire"
      >
        {retired ? "Back into service" : "Retire"}
      </button>
    </div>
  );
}

function Replace({ device, lock, tell }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const others = useStore((state) =>
    Object.values(state.devices)
      .filter((one) => one.name !== device.name)
      .map((one) => `${one.name}\t${nameOf(one)}`)
      .join("\n"),
  );
  const [by, setBy] = useState("");
  const rows = others === "" ? [] : others.split("\n").map((row) => row.split("\t"));
  const why = lock ?? (rows.length === 0 ? "There is no other device" : by === "" ? "Choose the one in its place" : null);
  return (
    <div className="ending">
      <p>
        <strong>Replace it.</strong> Its history goes on under another device, for a new Pi in the same place or two names for one.
        {lock && <small>{lock}.</small>}
      </p>
      <span className="ending-deed">
        <select value={by} onChange={(event) => setBy(event.target.value)} aria-label="The device in its place" disabled={lock !== null || rows.length === 0} data-testid="replace-by">
          <option value="">By…</option>
          {rows.map(([name = "", title = ""]) => (
            <option key={name} value={name}>
              {title === name ? name : `${title} (${name})`}
            </option>
          ))}
        </select>
        <button type="button" className="button" disabled={why !== null} title={why ?? undefined} onClick={() => dialog.current?.showModal()} data-testid="replace">
          Replace
        </button>
      </span>
      <Dialog
        ref={dialog}
        question={`Let the history of ${nameOf(device)} go on as ${by}?`}
        confirm="Replace"
        testId="replace-confirm"
        lock={why}
        danger
        onConfirm={() => tell(replaceDevice(device.name, by), hrefOf({ view: "settings", device: by }))}
      >
        <p>
          Everything that {device.name} has recorded will stand under {by}, and {device.name} is forgotten. This cannot be taken apart again.
        </p>
      </Dialog>
    </div>
  );
}

function Delete({ device, lock, tell }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  return (
    <div className="ending">
      <p>
        <strong>Delete it.</strong> The device goes with everything that it has recorded. Only a backup brings it back.
        {lock && <small>{lock}.</small>}
      </p>
      <button
        type="button"
        className="button button-danger"
        disabled={lock !== null}
        title={lock ?? undefined}
        onClick={() => {
          setTyped("");
          dialog.current?.showModal();
        }}
        data-testid="delete"
      >
        Delete…
      </button>
      <Dialog
        ref={dialog}
        question={`Delete ${nameOf(device)} with all its data?`}
        confirm="Delete for good"
        testId="delete-confirm"
        lock={lock ?? (typed === device.name ? null : `Type ${device.name} first`)}
        danger
        onConfirm={() => tell(deleteDevice(device.name), hrefOf({ view: "devices" }))}
      >
        <label className="field">
          <span>
            Type <code>{device.name}</code> to be sure
          </span>
          <input value={typed} onChange={(event) => setTyped(event.target.value)} autoComplete="off" spellCheck={false} data-testid="delete-name" />
        </label>
      </Dialog>
    </div>
  );
}
