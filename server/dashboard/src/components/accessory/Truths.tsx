import { ago } from "../../format";
import type { Accessory, Device } from "../../state/model";

/** The three truths of an accessory side by side: what was asked, how fresh its report is, and whether its device is there. */
export function Truths(props: { accessory: Accessory | undefined; device: Device; age: number | null; stale: boolean }) {
  const { accessory, device, age, stale } = props;
  const desired = accessory?.desired ?? null;
  const unmet = desired !== null && accessory !== undefined && desired !== accessory.reported;
  return (
    <dl className="truths">
      <div data-tone={unmet ? "warn" : "plain"} data-testid="truth-asked">
        <dt>Asked</dt>
        <dd title={unmet ? "This is not what it reports" : undefined}>{desired === null ? "nothing yet" : desired ? "on" : "off"}</dd>
      </div>
      <div data-tone={stale ? "warn" : "plain"} data-testid="truth-reported">
        <dt>Reported</dt>
        <dd>{age === null ? "not yet" : ago(age)}</dd>
      </div>
      <div data-tone={device.online ? "plain" : "bad"} data-testid="truth-link">
        <dt>Link</dt>
        <dd>{device.online ? "online" : "offline"}</dd>
      </div>
    </dl>
  );
}
