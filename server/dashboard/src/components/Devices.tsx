import { useCallback, useMemo, useState } from "react";
import { EVERYTHING, found, rows, type Filter, type Row } from "../state/roster";
import { useStore } from "../state/store";
import { AllDevices } from "./AllDevices";
import { DeviceSection } from "./DeviceSection";
import { Empty } from "./Empty";
import { FilterBar } from "./FilterBar";
import { Pager } from "./Pager";

/** Up to this many devices are open from the start. */
const OPEN_AT_FIRST = 3;
/** From this many on rows are dense, and there are fields to find one. */
const FILTER_FROM = 7;
/** Rows of one page: a thousand devices must not be a thousand rows. */
const PAGE = 50;

/** All devices by what people call them; open ones mount their chart, closed ones are a row. */
export function Devices({ only }: { only: string | null }) {
  const ready = useStore((state) => state.ready);
  // One string, so that this list renders again only when a device comes, goes or is called something else.
  const listed = useStore((state) => JSON.stringify(rows(state)));
  const [chosen, setChosen] = useState<Readonly<Record<string, boolean>>>({});
  const [filter, setFilter] = useState<Filter>(EVERYTHING);
  const [page, setPage] = useState(0);
  const toggle = useCallback((name: string, open: boolean) => setChosen((before) => ({ ...before, [name]: open })), []);
  const all = useMemo(() => JSON.parse(listed) as Row[], [listed]);
  if (!ready) return <p className="quiet connecting">Connecting to the relay…</p>;
  if (all.length === 0) return <Empty only={only} />;
  const matching = found(all, filter);
  const current = Math.min(page, Math.max(0, Math.ceil(matching.length / PAGE) - 1));
  const shown = matching.slice(current * PAGE, (current + 1) * PAGE);
  const inService = all.some(({ retired }) => !retired);
  const many = all.length >= FILTER_FROM;
  const narrow = (change: Partial<Filter>) => {
    setFilter((before) => ({ ...before, ...change }));
    setPage(0);
  };
  return (
    <>
      <FilterBar all={all} filter={filter} matching={matching.length} searchable={many} onChange={narrow} />
      <AllDevices tag={filter.tag} rows={all} />
      <div className="device-list" data-solo={all.length === 1} data-dense={many}>
        {shown.map(({ name }) => (
          <DeviceSection key={name} name={name} open={chosen[name] ?? all.length <= OPEN_AT_FIRST} onToggle={toggle} />
        ))}
      </div>
      {matching.length === 0 && (
        <p className="quiet nothing">
          {inService ? "No device is like that." : "Every device is retired."}{" "}
          <button type="button" className="link-button" onClick={() => narrow({ ...EVERYTHING, show: inService ? "all" : "retired" })}>
            Show {inService ? "all" : "them"}
          </button>
        </p>
      )}
      <Pager page={current} size={PAGE} total={matching.length} onPage={setPage} />
    </>
  );
}
