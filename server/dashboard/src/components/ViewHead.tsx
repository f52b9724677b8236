import type { ReactNode } from "react";
import { hrefOf } from "../link/route";
import { Back } from "./icons";

function focusOnce(heading: HTMLHeadingElement | null): void {
  heading?.focus({ preventScroll: true });
}

/** The head of a view other than the devices: the way back, what it is, and what narrows it. */
export function ViewHead({ title, note, children }: { title: string; note?: string; children?: ReactNode }) {
  return (
    <header className="view-head">
      <a className="icon-button" href={hrefOf({ view: "devices" })} aria-label="Back to the devices" title="Back to the devices">
        <Back />
      </a>
      {/* Whoever came here by a link goes on reading here. */}
      <h2 tabIndex={-1} ref={focusOnce}>
        {title}
        {note && <span className="view-note">{note}</span>}
      </h2>
      <div className="view-tools">{children}</div>
    </header>
  );
}
