import { useRef } from "react";
import { CommandButton } from "./CommandButton";
import { Power } from "./icons";

interface Props {
  /** Test id; the confirming button has `-confirm` after it. */
  testId: string;
  /** Whose accessories: `pi-1`, `all 12 devices`. */
  whose: string;
  lock: string | null;
  pending: boolean;
  onConfirm: () => void;
}

/** Turns off everything but the sensors, after a question. */
export function CleanButton({ testId, whose, lock, pending, onConfirm }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <CommandButton
        testId={testId}
        name={`Turn everything off on ${whose}`}
        lock={lock}
        pending={pending}
        className="button button-quiet"
        onPress={() => dialog.current?.showModal()}
      >
        {!pending && <Power />}
        <span className="label-long">Turn everything off</span>
        <span className="label-short">All off</span>
      </CommandButton>
      <dialog ref={dialog} className="dialog" aria-label={`Turn everything off on ${whose}?`}>
        <form method="dialog">
          <h3>Turn everything off on {whose}?</h3>
          <p>The light and all else that can be switched go off. The infrared sensor goes on watching.</p>
          <div className="dialog-buttons">
            <button type="submit" className="button button-quiet">
              Cancel
            </button>
            <button
              type="submit"
              className="button button-main"
              data-testid={`${testId}-confirm`}
              disabled={lock !== null}
              onClick={onConfirm}
            >
              Turn everything off
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
