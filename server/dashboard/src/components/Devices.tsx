import { useCallback, useMemo, useState } from "react";
import { useStore } from "../state/store";
import { DeviceSection } from "./DeviceSection";
import { Empty } from "./Empty";

/** Up to this many devices are open from the start. */
const OPEN_AT_FIRST = 3;
/** From this many on rows are dense, and there is a field to find one. */
const FILTER_FROM = 7;

/** All devices by name; open ones mount their chart, closed ones are a row. */
export function Devices({ only }: { only: string | null }) {
  const ready = useStore((state) => state.ready);
  // One string, so that this list renders again only when a device comes, goes or changes its tags.
  const listed = useStore((state) =>
    Object.values(state.devices)
      .map(({ name, tags }) => [name, ...tags].join("\t"))
      .join("\n"),
  );
  const [chosen, setChosen] = useState<Readonly<Record<string, boolean>>>({});
  const [search, setSearch] = useState("");
  const toggle = useCallback((name: string, open: boolean) => setChosen((before) => ({ ...before, [name]: open })), []);
  const devices = useMemo(() => {
    const rows = listed === "" ? [] : listed.split("\n").map((row) => row.split("\t"));
    return rows.toSorted(([a = ""], [b = ""]) => a.localeCompare(b, "en", { numeric: true }));
  }, [listed]);
  if (!ready) return <p className="quiet connecting">Connecting to the relay…</p>;
  if (devices.length === 0) return <Empty only={only} />;
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = devices.filter((row) => words.every((word) => row.some((text) => text.toLowerCase().includes(word))));
  return (
    <>
      {devices.length >= FILTER_FROM && (
        <label className="filter">
          <span>Find</span>
          <input
            type="search"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
            placeholder="name or tag"
            data-testid="filter"
          />
          <output>{words.length > 0 && `${found.length} of ${devices.length}`}</output>
        </label>
      )}
      <div className="device-list" data-solo={devices.length === 1} data-dense={devices.length >= FILTER_FROM}>
        {found.map(([name = ""]) => (
          <DeviceSection key={name} name={name} open={chosen[name] ?? devices.length <= OPEN_AT_FIRST} onToggle={toggle} />
        ))}
      </div>
      {found.length === 0 && <p className="quiet">No device has “{search}” in its name or tags.</p>}
    </>
  );
}
