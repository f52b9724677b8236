/** The page's own icons: 20 × 20, drawn with a line of 1.5. */

import type { ReactNode } from "react";

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const Sun = () => (
  <Icon>
    <circle cx="10" cy="10" r="3.25" />
    <path d="M10 2.5v1.75M10 15.75v1.75M2.5 10h1.75M15.75 10h1.75M4.7 4.7l1.25 1.25M14.05 14.05l1.25 1.25M4.7 15.3l1.25-1.25M14.05 5.95l1.25-1.25" />
  </Icon>
);
export const Moon = () => (
  <Icon>
    <path d="M16.5 12.1A6.9 6.9 0 0 1 7.9 3.5a6.9 6.9 0 1 0 8.6 8.6Z" />
  </Icon>
);
export const Chevron = () => (
  <Icon>
    <path d="m5.5 8 4.5 4.5L14.5 8" />
  </Icon>
);
export const Power = () => (
  <Icon>
    <path d="M10 2.75v6.5M6.2 5.2a6 6 0 1 0 7.6 0" />
  </Icon>
);
export const Refresh = () => (
  <Icon>
    <path d="M16.25 10a6.25 6.25 0 1 1-1.9-4.5M16.5 2.9v3.2h-3.2" />
  </Icon>
);
export const Download = () => (
  <Icon>
    <path d="M10 3v8.75M6.5 8.5 10 12l3.5-3.5M3.75 15.75h12.5" />
  </Icon>
);
export const Leave = () => (
  <Icon>
    <path d="M8 3.75H4.75v12.5H8M9 10h7.5M13.5 7l3 3-3 3" />
  </Icon>
);
export const Copy = () => (
  <Icon>
    <rect x="7" y="7" width="9" height="9" rx="1.75" />
    <path d="M13 4.5H5.75C5.06 4.5 4.5 5.06 4.5 5.75V13" />
  </Icon>
);
export const Close = () => (
  <Icon>
    <path d="m5.5 5.5 9 9M14.5 5.5l-9 9" />
  </Icon>
);
export const Sliders = () => (
  <Icon>
    <path d="M3.5 6h7M14.5 6h2M3.5 14h2M9.5 14h7" />
    <circle cx="12.5" cy="6" r="2" />
    <circle cx="7.5" cy="14" r="2" />
  </Icon>
);
export const Bell = () => (
  <Icon>
    <path d="M4 14.25h12c-1.1-1.1-1.6-2.3-1.6-5.1a4.4 4.4 0 0 0-8.8 0c0 2.8-.5 4-1.6 5.1ZM8.4 16.75a1.75 1.75 0 0 0 3.2 0" />
  </Icon>
);
export const History = () => (
  <Icon>
    <path d="M4.2 12.4a6.25 6.25 0 1 0 .4-5.6M4 3.9v3.2h3.2M10 6.5V10l2.4 1.6" />
  </Icon>
);
export const Pencil = () => (
  <Icon>
    <path d="m12.9 4.3 2.8 2.8-8.6 8.6-3.6.8.8-3.6zM11 6.2 13.8 9" />
  </Icon>
);
export const Back = () => (
  <Icon>
    <path d="M12 5 7 10l5 5" />
  </Icon>
);
export const Spinner = () => (
  <svg className="icon spinner" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
    <circle cx="10" cy="10" r="6.5" className="spinner-track" />
    <path d="M10 3.5a6.5 6.5 0 0 1 6.5 6.5" />
  </svg>
);

/** The mark: a light-emitting diode, one leg longer than the other, as the part itself has it. */
export const Mark = () => (
  <svg className="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path className="mark-dome" d="M10.5 20.5v-6a5.5 5.5 0 0 1 11 0v6z" />
    <path d="M8 21.25h16M12.75 22v4.5M19.25 22v6.5" />
    <path className="mark-rays" d="M6.8 8.2 5.2 6.6M16 5V3M25.2 8.2l1.6-1.6" />
  </svg>
);
