import { useRef } from "react";
import type { Manner } from "../link/operator";
import { CommandButton } from "./CommandButton";
import { Dialog } from "./Dialog";
import { Power } from "./icons";
import { QueueChoice, useQueueing } from "./QueueChoice";

interface Props {
  /** Test id; the confirming button has `-confirm` after it. */
  testId: string;
  /** Whose accessories: `pi-1`, `all 12 devices`. */
  whose: string;
  /** How many of them are offline, of how many. */
  away: number;
  of: number;
  lock: string | null;
  pending: boolean;
  onConfirm: (manner: Manner) => void;
}

/** Turns off everything but the sensors, after a question. */
export function CleanButton({ testId, whose, away, of, lock, pending, onConfirm }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const queueing = useQueueing(away, of);
  return (
    <>
      <CommandButton
        testId={testId}
        name={`All off: turn everything off on ${whose}`}
        lock={lock}
        pending={pending}
        className="button button-quiet"
        onPress={() => dialog.current?.showModal()}
      >
        {!pending && <Power />}
        <span className="label-long">Turn everything off</span>
        <span className="label-short">All off</span>
      </CommandButton>
      <Dialog
        ref={dialog}
        question={`Turn everything off on ${whose}?`}
        confirm={away > 0 && away === of ? "Queue it" : "Turn everything off"}
        testId={`${testId}-confirm`}
        lock={lock}
        onConfirm={() => onConfirm(queueing.manner)}
      >
        <p>The light and all else that can be switched go off. Sensors go on: the infrared sensor stays watching.</p>
        <QueueChoice queueing={queueing} whose={whose} />
      </Dialog>
    </>
  );
}
