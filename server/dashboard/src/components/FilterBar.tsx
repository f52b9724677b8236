import { choices, type Filter, type Row, type Show } from "../state/roster";

const SHOWS: readonly { show: Show; label: string }[] = [
  { show: "all", label: "In service" },
  { show: "online", label: "Online" },
  { show: "offline", label: "Offline" },
  { show: "alerts", label: "With alerts" },
  { show: "retired", label: "Retired" },
];

interface Props {
  all: readonly Row[];
  filter: Filter;
  matching: number;
  /** There are enough of them to look for one. */
  searchable: boolean;
  onChange: (change: Partial<Filter>) => void;
}

/** Narrows the list: by words, group, place, and how devices stand. Only what there is to choose is offered. */
export function FilterBar({ all, filter, matching, searchable, onChange }: Props) {
  const tags = choices(all, ({ tags: own }) => own);
  const places = choices(all, ({ place }) => [place]);
  const retired = all.some((row) => row.retired);
  const narrowed = filter.search !== "" || filter.tag !== "" || filter.place !== "" || filter.show !== "all";
  if (!searchable && !retired && !narrowed && (all.length < 2 || tags.length === 0)) return null;
  return (
    <search className="filter">
      {searchable && (
        <input
          type="search"
          value={filter.search}
          onChange={(event) => onChange({ search: event.target.value })}
          placeholder="Find by name, place or tag"
          aria-label="Find a device"
          data-testid="filter"
        />
      )}
      {tags.length > 0 && (
        <select value={filter.tag} onChange={(event) => onChange({ tag: event.target.value })} aria-label="Group" data-testid="filter-tag">
          <option value="">Any group</option>
          {tags.map((tag) => (
            <option key={tag} value={tag}>
              Tagged {tag}
            </option>
          ))}
        </select>
      )}
      {places.length > 0 && (
        <select value={filter.place} onChange={(event) => onChange({ place: event.target.value })} aria-label="Place" data-testid="filter-place">
          <option value="">Any place</option>
          {places.map((place) => (
            <option key={place} value={place}>
              {place}
            </option>
          ))}
        </select>
      )}
      {(searchable || retired || filter.show !== "all") && (
        <select value={filter.show} onChange={(event) => onChange({ show: event.target.value as Show })} aria-label="Which" data-testid="filter-show">
          {SHOWS.filter(({ show }) => show !== "retired" || retired || filter.show === "retired").map(({ show, label }) => (
            <option key={show} value={show}>
              {label}
            </option>
          ))}
        </select>
      )}
      <output>{narrowed && `${matching} of ${all.length}`}</output>
    </search>
  );
}
