import type { ReactNode } from "react";
import { Spinner } from "./icons";

interface Props {
  testId: string;
  /** For people who do not see where the button stands. */
  name: string;
  children: ReactNode;
  onPress: () => void;
  lock: string | null;
  /** This very command waits for its answer. */
  pending?: boolean;
  /** Another command at the same part waits for its answer. */
  busy?: boolean;
  /** Whether this is what the device reported; undefined where the button is no switch. */
  reported?: boolean;
  className?: string;
}

/** A button that sends a command: it shows what is reported and what is awaited, never what is hoped. */
export function CommandButton({ testId, name, children, onPress, lock, pending, busy, reported, className }: Props) {
  return (
    <button
      type="button"
      className={className ?? "button"}
      data-testid={testId}
      data-pending={pending ?? false}
      disabled={lock !== null || pending === true || busy === true}
      title={lock ?? undefined}
      aria-label={name}
      aria-pressed={reported}
      aria-busy={pending ?? false}
      onClick={onPress}
    >
      {pending && <Spinner />}
      {children}
    </button>
  );
}
