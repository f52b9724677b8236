import type { ReactNode, RefObject } from "react";

interface Props {
  ref: RefObject<HTMLDialogElement | null>;
  /** What is asked; also its name for people who do not see it. */
  question: string;
  children: ReactNode;
  confirm: string;
  testId: string;
  onConfirm: () => void;
  /** Why it cannot be confirmed now. */
  lock?: string | null;
  /** What it does cannot be undone. */
  danger?: boolean;
}

/** A question before something is done. Nothing happens when it is closed in any other way than by its button. */
export function Dialog({ ref, question, children, confirm, testId, onConfirm, lock, danger }: Props) {
  return (
    <dialog ref={ref} className="dialog" aria-label={question}>
      <form method="dialog">
        <h3>{question}</h3>
        {children}
        <div className="dialog-buttons">
          <button type="submit" className="button button-quiet" formNoValidate>
            Cancel
          </button>
          <button
            type="submit"
            className={danger ? "button button-danger" : "button button-main"}
            data-testid={testId}
            disabled={typeof lock === "string"}
            title={lock ?? undefined}
            onClick={onConfirm}
          >
            {confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}
