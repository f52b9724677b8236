/** A light-emitting diode, drawn as the part is: dome, flange, cathode and the longer anode leg. Decoration only. */

import { useId } from "react";

export function LampArt({ lit, level }: { lit: boolean; level: number | null }) {
  const id = useId();
  return (
    <div className="lamp-art" data-lit={lit} style={{ "--level": level ?? 0.7 }} aria-hidden="true">
      <span className="lamp-halo" />
      <svg viewBox="0 0 120 150" focusable="false">
        <defs>
          <radialGradient id={id} cx="50%" cy="62%" r="62%">
            <stop offset="0%" stopColor="var(--lamp-core)" />
            <stop offset="55%" stopColor="var(--lamp)" />
            <stop offset="100%" stopColor="var(--lamp-edge)" />
          </radialGradient>
        </defs>
        <path className="lamp-glass" d="M34 92V52a26 26 0 0 1 52 0v40z" />
        <path className="lamp-ember" d="M34 92V52a26 26 0 0 1 52 0v40z" />
        <path className="lamp-light" d="M34 92V52a26 26 0 0 1 52 0v40z" fill={`url(#${id})`} />
        <path className="lamp-frame" d="M50 92V70h9l-3.5 8M70 92V66c0-4-4-6.5-8-6.5M62 70l-2.5-5" />
        <path className="lamp-line" d="M34 92V52a26 26 0 0 1 52 0v40M27 92h66v6.5H27zM50 98.5V126M70 98.5V142" />
        <path className="lamp-shine" d="M42.5 56a17.5 17.5 0 0 1 9-15.5" />
      </svg>
    </div>
  );
}
