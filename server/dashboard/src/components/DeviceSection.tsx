import { memo, useId } from "react";
import { DeviceChart } from "../chart/DeviceChart";
import { inOrder } from "../quantities";
import { nameOf, type Device } from "../state/model";
import { useStore } from "../state/store";
import { accessoryNames } from "./accessory/kinds";
import { AccessoryTile } from "./accessory/AccessoryTile";
import { DeviceAlerts } from "./alerts/DeviceAlerts";
import { DeviceHead } from "./DeviceHead";
import { Findings } from "./insight/Findings";
import { TrainingPanel } from "./insight/TrainingPanel";
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
  const accessories = accessoryNames(device);
  return (
    <section
      className="device"
      data-testid={`device-${name}`}
      data-online={device.online}
      data-open={open}
      data-retired={device.profile.retired}
      aria-label={nameOf(device)}
    >
      <DeviceHead device={device} open={open} body={body} onToggle={onToggle} />
      {open && (
        <div className="device-body" id={body} data-accessories={accessories.length > 2 ? "many" : accessories.length > 0 ? "few" : "none"}>
          <DeviceAlerts device={name} />
          <Findings device={device} />
          {accessories.length > 0 && (
            <div className="device-accessories">
              {accessories.map((accessory) => (
                <AccessoryTile key={accessory} device={device} name={accessory} />
              ))}
            </div>
          )}
          <div className="device-readings">
            <RoomReadings device={device} />
            <DeviceChart
              device={name}
              available={inOrder(Object.keys(device.readings)).join(" ")}
              intervalS={device.sampleIntervalS}
            />
          </div>
          {learns(device) && <TrainingPanel device={device} />}
          <MachineReadings device={device} />
        </div>
      )}
    </section>
  );
});

/** Whether there is something to forecast: an agent that has both quantities, or has told of a job. */
function learns({ training, infos, readings }: Device): boolean {
  const both = "temperature" in readings && "humidity" in readings;
  return training !== null || (both && Object.keys(infos).length > 0);
}
