import { useId, useRef, useState } from "react";
import type { LightOptions } from "../../contract";
import { Sliders } from "../icons";

interface Option {
  key: keyof LightOptions;
  name: string;
  low: number;
  high: number;
  step: number;
  /** Where the slider stands while the light's own settings count. */
  rest: number;
  tell: (value: number) => string;
}

const OPTIONS: readonly Option[] = [
  { key: "level", name: "Brightness", low: 0.05, high: 1, step: 0.05, rest: 1, tell: (value) => `${Math.round(value * 100)} %` },
  { key: "period_s", name: "One breath", low: 0.5, high: 20, step: 0.5, rest: 4, tell: (value) => `${value} s` },
  { key: "gamma", name: "Gamma", low: 1, high: 4, step: 0.1, rest: 2.2, tell: (value) => value.toFixed(1) },
];

interface Props {
  whose: string;
  testId: string;
  /** How it breathes now, as it reported. */
  reported: LightOptions | null;
  lock: string | null;
  busy: boolean;
  onApply: (light: LightOptions) => void;
}

/** How the light breathes: chosen here, and applied by turning it on so. */
export function LightPopover({ whose, testId, reported, lock, busy, onApply }: Props) {
  const id = useId();
  const panel = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const [chosen, setChosen] = useState<LightOptions>({});
  const place = () => {
    const at = button.current?.getBoundingClientRect();
    if (!at || !panel.current) return;
    const width = 264;
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - width - 8));
    const above = at.bottom + 268 > innerHeight && at.top > 268;
    panel.current.style.left = `${left}px`;
    panel.current.style.top = above ? "auto" : `${at.bottom + 6}px`;
    panel.current.style.bottom = above ? `${innerHeight - at.top + 6}px` : "auto";
  };
  const apply = () => {
    panel.current?.hidePopover();
    onApply(chosen);
    setChosen({});
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        className="button button-quiet"
        popoverTarget={id}
        onClick={place}
        aria-label={`Breathing of the light of ${whose}`}
        data-testid={testId}
        disabled={lock !== null}
        title={lock ?? undefined}
      >
        <Sliders />
        Breathing
      </button>
      <div ref={panel} id={id} popover="auto" className="popover" role="dialog" aria-label={`How the light of ${whose} breathes`}>
        {OPTIONS.map(({ key, name, low, high, step, rest, tell }) => {
          const told = reported?.[key] ?? null;
          const value = chosen[key] ?? null;
          return (
            <label key={key} className="slider">
              <span>{name}</span>
              <output>{value !== null ? tell(value) : told !== null ? `now ${tell(told)}` : "as set"}</output>
              <input
                type="range"
                min={low}
                max={high}
                step={step}
                value={value ?? told ?? rest}
                onChange={(event) => setChosen((before) => ({ ...before, [key]: Number(event.target.value) }))}
                data-testid={`${testId}-${key}`}
              />
            </label>
          );
        })}
        <div className="dialog-buttons">
          <button type="button" className="button button-quiet" onClick={() => setChosen({})} disabled={Object.keys(chosen).length === 0}>
            Reset
          </button>
          <button
            type="button"
            className="button button-main"
            disabled={lock !== null || busy || Object.keys(chosen).length === 0}
            onClick={apply}
            data-testid={`${testId}-apply`}
          >
            Turn on so
          </button>
        </div>
      </div>
    </>
  );
}
