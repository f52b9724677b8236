import { inOrder, isMachine } from "../quantities";
import type { Device } from "../state/model";
import { ReadingTile } from "./ReadingTile";

/** The room's quantities as tiles. */
export function RoomReadings({ device }: { device: Device }) {
  const quantities = inOrder(Object.keys(device.readings)).filter((quantity) => !isMachine(quantity));
  if (quantities.length === 0) return <p className="quiet tiles-empty">No reading has come from {device.name} yet.</p>;
  return (
    <dl className="tiles" data-count={Math.min(quantities.length, 4)}>
      {quantities.map((quantity) => tile(device, quantity, false))}
    </dl>
  );
}

/** What the device measured of itself, in one line. */
export function MachineReadings({ device }: { device: Device }) {
  const quantities = inOrder(Object.keys(device.readings)).filter(isMachine);
  if (quantities.length === 0) return null;
  return (
    <div className="machine">
      <h3>Machine</h3>
      <dl className="facts">{quantities.map((quantity) => tile(device, quantity, true))}</dl>
    </div>
  );
}

function tile(device: Device, quantity: string, compact: boolean) {
  const reading = device.readings[quantity];
  if (!reading) return null;
  const { name, sampleIntervalS } = device;
  return <ReadingTile key={quantity} device={name} compact={compact} {...{ quantity, reading, sampleIntervalS }} />;
}
