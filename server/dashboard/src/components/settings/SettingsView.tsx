import { useState, type FormEvent } from "react";
import { changeProfile, type ProfileChange } from "../../link/http";
import { isCut } from "../../state/freshness";
import { nameOf, type Device } from "../../state/model";
import { useStore } from "../../state/store";
import { Spinner } from "../icons";
import { useViewer, VIEWER } from "../lock";
import { ViewHead } from "../ViewHead";
import { Calibration } from "./Calibration";
import { changeOf, draftOf, troubleIn, ZONES, type Draft } from "./draft";
import { Endings } from "./Endings";

/** What people say of one device, for operators to change. */
export function SettingsView({ device: name }: { device: string }) {
  const device = useStore((state) => state.devices[name]);
  const ready = useStore((state) => state.ready);
  const viewer = useViewer();
  return (
    <section className="view" aria-label={`Edit ${name}`} data-testid="settings-view">
      <ViewHead title={device ? nameOf(device) : name} note={device && nameOf(device) !== name ? name : "edit"} />
      {!device && <p className="quiet view-none">{ready ? `There is no device ${name}.` : "Connecting to the relay…"}</p>}
      {device && viewer && <p className="quiet view-none">{VIEWER}, nor change what is said of a device.</p>}
      {device && !viewer && (
        <>
          <ProfileForm device={device} key={name} />
          <Endings device={device} />
        </>
      )}
    </section>
  );
}

type Saving = { is: "idle" } | { is: "busy" } | { is: "saved" } | { is: "failed"; message: string };

/** The form keeps what was typed; what was not touched follows what others change. */
function ProfileForm({ device }: { device: Device }) {
  const [touched, setTouched] = useState<Partial<Draft>>({});
  const [saving, setSaving] = useState<Saving>({ is: "idle" });
  const cut = useStore(isCut);
  const draft: Draft = { ...draftOf(device.profile), ...touched };
  const trouble = troubleIn(draft);
  const change: ProfileChange = changeOf(device.profile, draft);
  const dirty = Object.keys(change).length > 0;
  const set = (part: Partial<Draft>) => {
    setTouched((before) => ({ ...before, ...part }));
    setSaving({ is: "idle" });
  };
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setSaving({ is: "busy" });
    try {
      await changeProfile(device.name, change);
      setTouched({});
      setSaving({ is: "saved" });
    } catch (error) {
      setSaving({ is: "failed", message: error instanceof Error ? error.message : String(error) });
    }
  };
  return (
    <form className="settings" onSubmit={(event) => void save(event)} data-testid="profile-form">
      <div className="fields">
        <label className="field">
          <span>Name</span>
          <input value={draft.title} maxLength={64} placeholder={device.name} onChange={(event) => set({ title: event.target.value })} data-testid="field-title" />
        </label>
        <label className="field">
          <span>Place</span>
          <input value={draft.place} maxLength={64} placeholder="Where it stands" onChange={(event) => set({ place: event.target.value })} data-testid="field-place" />
        </label>
        <label className="field">
          <span>Tags</span>
          <input value={draft.tags} placeholder="ground-floor, fans" onChange={(event) => set({ tags: event.target.value })} data-testid="field-tags" />
          <small>Groups that are switched together, by commas.</small>
        </label>
        <label className="field">
          <span>Time zone</span>
          <input value={draft.timeZone} list="zones" placeholder="The relay's" onChange={(event) => set({ timeZone: event.target.value })} data-testid="field-zone" />
          <datalist id="zones">
            {ZONES.map((zone) => (
              <option key={zone}>{zone}</option>
            ))}
          </datalist>
          <small>Quiet hours and schedules go by it.</small>
        </label>
      </div>
      <Calibration device={device} offsets={draft.calibration} onChange={(calibration) => set({ calibration })} />
      <div className="settings-save">
        <p role="status" data-is={saving.is}>
          {trouble ?? (saving.is === "failed" ? saving.message : saving.is === "saved" ? "Saved" : dirty ? "Not saved yet" : "")}
        </p>
        <button type="button" className="button button-quiet" disabled={!dirty} onClick={() => setTouched({})}>
          Discard
        </button>
        <button type="submit" className="button button-main" disabled={!dirty || trouble !== null || saving.is === "busy" || cut} data-testid="profile-save">
          {saving.is === "busy" && <Spinner />}
          Save
        </button>
      </div>
    </form>
  );
}
