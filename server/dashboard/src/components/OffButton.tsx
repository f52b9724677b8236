import { useRef } from "react";
import type { Manner } from "../link/operator";
import { CommandButton } from "./CommandButton";
import { Dialog } from "./Dialog";
import { QueueChoice, useQueueing } from "./QueueChoice";

interface Props {
  testId: string;
  name: string;
  /** What is switched off: `Fan of pi-1`. */
  what: string;
  whose: string;
  /** How many of those it is for are offline, of how many. */
  away: number;
  of: number;
  lock: string | null;
  pending?: boolean;
  busy: boolean;
  reported?: boolean;
  onPress: (manner: Manner) => void;
}

/** The side of a switch that says off: at once where the device is there, after a question where it would have to wait. */
export function OffButton({ testId, name, what, whose, away, of, onPress, ...button }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const queueing = useQueueing(away, of);
  return (
    <>
      <CommandButton
        {...button}
        testId={testId}
        name={name}
        className="switch-side"
        onPress={() => (away > 0 ? dialog.current?.showModal() : onPress({}))}
      >
        Off
      </CommandButton>
      <Dialog
        ref={dialog}
        question={`${what} off?`}
        confirm={away === of ? "Queue it" : "Turn off"}
        testId={`${testId}-confirm`}
        lock={button.lock}
        onConfirm={() => onPress(queueing.manner)}
      >
        <QueueChoice queueing={queueing} whose={whose} />
      </Dialog>
    </>
  );
}
