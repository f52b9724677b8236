import type { ClientModelTrain, HorizonResult, TrainingPlot } from "../../contract";
import { clock, title } from "../../format";
import { errorOf, worth } from "../../insight/words";
import type { Device } from "../../state/model";

const [WIDTH, HEIGHT, PAD] = [320, 96, 6];

/** What a new model is worth on two days that it had not seen: its errors, and its forecasts beside the truth. */
export function TrainingResult({ device, training, open }: { device: Device; training: ClientModelTrain; open: boolean }) {
  const horizons = training.horizons ?? [];
  const plots = training.plot ?? [];
  if (horizons.length === 0) return null;
  return (
    <details className="result" open={open} data-testid={`training-result-${device.name}`}>
      <summary>What it is worth</summary>
      <p className="quiet">
        Judged on the last two days, which it had not seen{device.simulated ? "; this room, and its past, are simulated" : ""}.
      </p>
      <div className="result-plots">
        {plots.map((plot) => (
          <Course key={plot.quantity} plot={plot} />
        ))}
      </div>
      <ul className="errors">
        {horizons.map((one) => (
          <ErrorLine key={`${one.quantity}/${one.minutes}`} horizon={one} />
        ))}
      </ul>
    </details>
  );
}

/** The error of a forecast as a bar; the whole track is that of *it stays as it is*. */
function ErrorLine({ horizon }: { horizon: HorizonResult }) {
  const { quantity, minutes, mae, mae_persistence } = horizon;
  const share = mae_persistence > 0 ? Math.min(1, mae / mae_persistence) : 1;
  return (
    <li data-gate={horizon.gate}>
      <span className="error-what">
        {title(quantity)}, {minutes} min ahead
      </span>
      <span className="error-bar" aria-hidden="true" style={{ "--share": share.toFixed(3), "--colour": `var(--q-${quantity})` }} />
      <span>
        error {errorOf(quantity, mae)}, as it stays {errorOf(quantity, mae_persistence)}: <b>{worth(horizon)}</b>
      </span>
    </li>
  );
}

/** Truth and forecast of one quantity, an hour ahead: a line, and a dashed one. */
function Course({ plot }: { plot: TrainingPlot }) {
  const { quantity, at_ms: at, truth, forecast } = plot;
  const [from, to] = [at[0], at.at(-1)];
  if (from === undefined || to === undefined || to <= from) return null;
  const all = [...truth, ...forecast];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const line = (values: readonly number[]) =>
    values
      .map((value, index) => {
        const x = (((at[index] ?? from) - from) / (to - from)) * WIDTH;
        const y = HEIGHT - PAD - ((value - low) / Math.max(high - low, 1e-9)) * (HEIGHT - 2 * PAD);
        return `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      })
      .join("");
  return (
    <figure className="course" style={{ "--colour": `var(--q-${quantity})` }}>
      <figcaption>
        <b>{title(quantity)}</b> one hour ahead
        <span className="course-key">
          <span className="course-truth" /> measured
        </span>
        <span className="course-key">
          <span className="course-forecast" /> forecast
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title(quantity)} measured and forecast one hour ahead, between ${errorOf(quantity, low)} and ${errorOf(quantity, high)}`}
      >
        <path className="course-line" d={line(truth)} />
        <path className="course-line course-dashed" d={line(forecast)} />
      </svg>
      <p className="course-foot">
        <span>{clock(from)}</span>
        <span>
          {errorOf(quantity, low)} to {errorOf(quantity, high)}
        </span>
        <span>{clock(to)}</span>
      </p>
    </figure>
  );
}
