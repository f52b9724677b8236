import { slotKey } from "../../state/model";
import { store } from "../../state/store";
import { Close } from "../icons";
import type { Standing } from "./standing";

const STEPS = [1, 2, 3, 4];

/** One line on what was asked and what became of it. `onQueue`: what was refused for the device is away may wait for it. */
export function AskNote(props: { device: string; slot: string; standing: Standing; onQueue?: (() => void) | undefined }) {
  const { device, slot, standing: told, onQueue } = props;
  return (
    <div className="ask-note" data-is={told.is} role="status">
      {told.is === "pending" && <Trail step={told.step} />}
      {told.is === "failed" ? (
        <>
          <span>
            {told.text} <code>{told.code}</code>
            {onQueue && told.code === "device_offline" && (told.action === "off" || told.action === "clean") && (
              <button type="button" className="link-button" onClick={onQueue}>
                Queue it
              </button>
            )}
          </span>
          <button
            type="button"
            className="ask-dismiss"
            aria-label="Dismiss"
            onClick={() => store.act({ deed: "dismissed", slot: slotKey(device, slot) })}
          >
            <Close />
          </button>
        </>
      ) : (
        told.is !== "idle" && <span>{told.text}</span>
      )}
    </div>
  );
}

/** How far it has come: sent, taken, switched, read back. */
function Trail({ step }: { step: number }) {
  return (
    <span className="trail" aria-hidden="true">
      {STEPS.map((one) => (
        <i key={one} data-done={one <= step} />
      ))}
    </span>
  );
}
