import { useState } from "react";
import { Download } from "../components/icons";
import { clock, moment } from "../format";
import { forecastTold } from "../insight/words";
import { csvHref } from "../link/http";
import { NO_INSIGHT } from "../state/model";
import { store, useStore } from "../state/store";
import { useTick } from "../state/ticker";
import { useTheme } from "../theme";
import { ahead } from "./ahead";
import type { Loading } from "./feed";
import { Legend } from "./Legend";
import { PlotArea } from "./PlotArea";
import type { Crosshair } from "./plot";
import { initialChoice, RANGES, switched, type Range } from "./ranges";

const DEFAULT_INTERVAL_S = 30;

interface Props {
  device: string;
  /** The quantities that there are, by blanks: a primitive, so that a new reading alone renders nothing here. */
  available: string;
  intervalS: number | null;
}

/** The live chart of one device. It is mounted only while its device is open. */
export function DeviceChart({ device, available, intervalS }: Props) {
  const all = available === "" ? [] : available.split(" ");
  const [picked, setPicked] = useState<string[] | null>(null);
  const [range, setRange] = useState<Range>(RANGES[0]);
  const [loading, setLoading] = useState<Loading>({ state: "loading" });
  const [crosshair, setCrosshair] = useState<Crosshair | null>(null);
  const [tries, setTries] = useState(0);
  const theme = useTheme();
  const joined = useStore((state) => state.joined);
  const choice = picked ?? initialChoice(all);
  if (all.length === 0) return null;
  return (
    <figure className="chart" data-testid={`chart-${device}`} data-loading={loading.state}>
      <figcaption className="chart-head">
        <Legend all={all} choice={choice} crosshair={crosshair} onSwitch={(quantity) => setPicked(switched(choice, quantity))} />
        <div className="ranges" role="group" aria-label="Span">
          {RANGES.map((one) => (
            <button
              key={one.name}
              type="button"
              aria-pressed={one === range}
              onClick={() => setRange(one)}
              data-testid={`range-${device}-${one.name}`}
            >
              {one.label}
            </button>
          ))}
        </div>
      </figcaption>
      <PlotArea
        // Drawn anew in another theme, and loaded anew after every snapshot and when asked to.
        key={`${theme} ${joined} ${tries}`}
        {...{ device, range, crosshair }}
        quantities={choice.join(" ")}
        intervalS={intervalS ?? DEFAULT_INTERVAL_S}
        onLoading={setLoading}
        onCrosshair={setCrosshair}
      />
      <div className="chart-foot">
        <ForecastTold device={device} quantities={choice} />
        <p role="status">
          {loading.state === "loading" && "Loading…"}
          {loading.state === "failed" && (
            <>
              History could not be loaded: {loading.message}{" "}
              <button type="button" className="link-button" onClick={() => setTries(tries + 1)}>
                Try again
              </button>
            </>
          )}
          {loading.state === "loaded" && crosshair && moment(crosshair.at, crosshair.to)}
        </p>
        <p className="downloads">
          <CsvLink device={device} quantities={choice} range={range} />
        </p>
      </div>
    </figure>
  );
}

/** The forecast in words: what the dashed lines say, also for who does not see them. */
function ForecastTold({ device, quantities }: { device: string; quantities: readonly string[] }) {
  const insight = useStore((state) => state.devices[device]?.insight ?? NO_INSIGHT);
  const skewMs = useStore((state) => state.skewMs);
  const fresh = useTick((now) => quantities.filter((quantity) => ahead(insight, quantity, now + skewMs).length > 0).join(" "));
  if (fresh === "" || insight.forecastAt === null) return null;
  const told = fresh.split(" ").map((quantity) => forecastTold(quantity, insight.forecast.filter((one) => one.quantity === quantity)));
  return (
    <p className="forecast-told" data-testid={`forecast-${device}`}>
      <b>Forecast</b> of {clock(insight.forecastAt)}: {told.join("; ")}
    </p>
  );
}

/** The span is taken when the link is used, not when it was drawn. */
function CsvLink({ device, quantities, range }: { device: string; quantities: readonly string[]; range: Range }) {
  const [to, setTo] = useState(() => Date.now());
  const href = csvHref(device, quantities, { from: to - range.ms, to });
  const refresh = () => setTo(Date.now() + store.get().skewMs);
  return (
    <a
      href={href}
      download={`${device}-${range.name}.csv`}
      onPointerEnter={refresh}
      onFocus={refresh}
      data-testid={`csv-${device}`}
    >
      <Download />
      Download CSV
    </a>
  );
}
