import { useEffect, useState } from "react";
import { deviceLog } from "../../link/http";
import { PagedList } from "../../link/paged";
import { hrefOf } from "../../link/route";
import { accessoryTitle, nameOf } from "../../state/model";
import { store, useStore } from "../../state/store";
import { useTick } from "../../state/ticker";
import { keyOf, KINDS, type LogKind, type LogRecord } from "../../why/record";
import { MorePages, usePages } from "../MorePages";
import { ViewHead } from "../ViewHead";
import { LogLine } from "./LogLine";

const PAGE = 50;
/** News of one cause come together: a command is a result, a state and another result. */
const SETTLE_MS = 300;

/** Why: everything that happened at one device, newest first, from the relay's own record. */
export function LogView({ device: name }: { device: string }) {
  const device = useStore((state) => state.devices[name]);
  const [kind, setKind] = useState<LogKind | "">("");
  const title = device ? nameOf(device) : name;
  return (
    <section className="view" aria-label={`Log of ${title}`} data-testid="log-view">
      <ViewHead title={title} note="why it is as it is">
        <div className="chips" role="group" aria-label="Which lines">
          <button type="button" aria-pressed={kind === ""} onClick={() => setKind("")} data-testid="log-all">
            All
          </button>
          {KINDS.map(({ kind: one, label }) => (
            <button key={one} type="button" aria-pressed={one === kind} onClick={() => setKind(one)} data-testid={`log-${one}`}>
              {label}
            </button>
          ))}
        </div>
      </ViewHead>
      <Lines key={kind} device={name} kind={kind} />
    </section>
  );
}

/** The lines of one kind; what happens while one looks comes on top. */
function Lines({ device: name, kind }: { device: string; kind: LogKind | "" }) {
  const infos = useStore((state) => state.devices[name]?.infos);
  const [list] = useState(() => new PagedList<LogRecord>((before) => deviceLog(name, kind, PAGE, before), keyOf));
  const pages = usePages(list);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const leave = store.onNews(name, () => {
      clearTimeout(timer);
      timer = setTimeout(list.refresh, SETTLE_MS);
    });
    return () => {
      leave();
      clearTimeout(timer);
    };
  }, [name, list]);
  const today = useTick((now) => new Date(now).setHours(0, 0, 0, 0));
  const titleOf = (accessory: string) => accessoryTitle({ infos: infos ?? {} }, accessory);
  return (
    <>
      {pages.items.length === 0 && pages.state === "loaded" ? (
        <p className="quiet view-none">
          Nothing of this kind is on record. <a href={hrefOf({ view: "devices" })}>Back to the devices</a>
        </p>
      ) : (
        <ol className="why" data-testid="log-lines">
          {pages.items.map((record, index) => (
            <LogLine
              key={keyOf(record)}
              record={record}
              titleOf={titleOf}
              newDay={dayOf(record) !== dayOf(pages.items[index - 1])}
              today={today}
            />
          ))}
        </ol>
      )}
      <MorePages list={list} />
    </>
  );
}

function dayOf(record: LogRecord | undefined): string {
  return record ? new Date(record.at).toDateString() : "";
}
