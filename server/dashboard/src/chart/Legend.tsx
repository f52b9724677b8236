import { quantityOf, title } from "../format";
import { isMachine, told } from "../quantities";
import { colourName, type Crosshair } from "./plot";

interface LegendProps {
  all: readonly string[];
  choice: readonly string[];
  crosshair: Crosshair | null;
  onSwitch: (quantity: string) => void;
}

/** Which quantities are drawn, with their values under the crosshair; the rest can be added. */
export function Legend({ all, choice, crosshair, onSwitch }: LegendProps) {
  const rest = all.filter((quantity) => !choice.includes(quantity));
  return (
    <div className="legend">
      {choice.map((quantity, index) => {
        const value = crosshair?.values[index];
        const { text, unit: sign } = told(quantity, value ?? null, quantityOf(quantity)?.unit ?? "");
        return (
          <button
            key={quantity}
            type="button"
            className="legend-item"
            style={{ "--colour": `var(${colourName(quantity, choice)})` }}
            aria-pressed="true"
            disabled={choice.length === 1}
            title={choice.length > 1 ? "Take this line away" : undefined}
            onClick={() => onSwitch(quantity)}
          >
            <span className="legend-line" />
            {title(quantity)}
            {crosshair && (
              <b>
                {text} {value === null || value === undefined ? "" : sign}
              </b>
            )}
          </button>
        );
      })}
      {rest.length > 0 && (
        <select className="legend-add" value="" aria-label="Add a line" onChange={(event) => onSwitch(event.target.value)}>
          <option value="">Add…</option>
          <optgroup label="Room">
            {rest.filter((one) => !isMachine(one)).map((one) => (
              <option key={one} value={one}>{title(one)}</option>
            ))}
          </optgroup>
          <optgroup label="Machine">
            {rest.filter(isMachine).map((one) => (
              <option key={one} value={one}>{title(one)}</option>
            ))}
          </optgroup>
        </select>
      )}
    </div>
  );
}
