import { title } from "../../format";
import { inOrder, isMachine, told } from "../../quantities";
import type { Device } from "../../state/model";
import { offsetOf } from "./draft";

interface Props {
  device: Device;
  /** Per quantity, as typed. */
  offsets: Readonly<Record<string, string>>;
  onChange: (offsets: Readonly<Record<string, string>>) => void;
}

/** What is added to each value: what the sensor says now, the offset, and what pages will then show. */
export function Calibration({ device, offsets, onChange }: Props) {
  const quantities = inOrder([...new Set([...Object.keys(device.readings), ...Object.keys(device.profile.calibration)])]).filter(
    (quantity) => !isMachine(quantity),
  );
  if (quantities.length === 0) return <p className="quiet">Nothing to calibrate: no reading has come yet.</p>;
  return (
    <fieldset className="calibration">
      <legend>Calibration</legend>
      <p className="quiet">Added to every new value. What is on record stays as it was.</p>
      <table>
        <thead>
          <tr>
            <th scope="col">Quantity</th>
            <th scope="col">Sensor says</th>
            <th scope="col">Offset</th>
            <th scope="col">Shown as</th>
          </tr>
        </thead>
        <tbody>
          {quantities.map((quantity) => {
            const raw = rawOf(device, quantity);
            const unit = device.readings[quantity]?.unit ?? "";
            const offset = offsetOf(offsets[quantity] ?? "");
            const after = raw === null || !Number.isFinite(offset) ? null : raw + offset;
            return (
              <tr key={quantity} data-testid={`calibration-${quantity}`}>
                <th scope="row">{title(quantity)}</th>
                <td data-testid="raw">{raw === null ? <Waiting device={device} quantity={quantity} /> : <Value quantity={quantity} value={raw} unit={unit} />}</td>
                <td>
                  <input
                    inputMode="decimal"
                    value={offsets[quantity] ?? ""}
                    placeholder="0"
                    aria-label={`Offset of ${title(quantity)}`}
                    aria-invalid={!Number.isFinite(offset)}
                    onChange={(event) => onChange({ ...offsets, [quantity]: event.target.value })}
                    data-testid={`offset-${quantity}`}
                  />
                </td>
                <td data-testid="shown">
                  <Value quantity={quantity} value={after} unit={unit} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </fieldset>
  );
}

/** The sensor's own value: known once a round has told what was added to it. */
function rawOf(device: Device, quantity: string): number | null {
  const reading = device.readings[quantity];
  if (!reading || reading.value === null || reading.offset === null) return null;
  return reading.value - reading.offset;
}

function Waiting({ device, quantity }: { device: Device; quantity: string }) {
  return <span className="quiet">{device.online && device.readings[quantity]?.value !== null ? "with the next round" : "–"}</span>;
}

function Value({ quantity, value, unit }: { quantity: string; value: number | null; unit: string }) {
  const { text, unit: sign } = told(quantity, value, unit);
  return (
    <>
      {text}
      {sign && <span className="unit">{sign}</span>}
    </>
  );
}
