/** The contract of this relay: search, groups, entries. */

import { useDeferredValue, useEffect, useMemo, useState } from "react";
import { toggleTheme, useTheme } from "../theme";
import { EntryCard } from "./EntryCard";
import type { Names } from "./examples";
import { grouped, ofEvents, ofHttp, search, type AsyncApi, type Entry, type OpenApi } from "./model";

interface Loaded {
  entries: Entry[];
  names: Names;
  version: string;
}

export function Reference() {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [trouble, setTrouble] = useState("");
  const [question, setQuestion] = useState("");
  const theme = useTheme();
  useEffect(() => {
    load().then(setLoaded, (error: unknown) => setTrouble(String(error)));
  }, []);
  const asked = useDeferredValue(question);
  const groups = useMemo(() => grouped(search(loaded?.entries ?? [], asked)), [loaded, asked]);
  const wanted = decodeURIComponent(location.hash.slice(1));
  useEffect(() => {
    if (loaded && wanted) document.getElementById(wanted)?.scrollIntoView();
  }, [loaded, wanted]);
  return (
    <div className="ref">
      <header>
        <h1><a href="/">Breathlight</a> · the contract</h1>
        <button type="button" onClick={toggleTheme}>{theme === "dark" ? "Light" : "Dark"}</button>
        <p>
          Every event and every operation of this relay{loaded ? `, version ${loaded.version}` : ""}. The documents themselves:{" "}
          <a href="/api/openapi.json">OpenAPI</a>, <a href="/api/asyncapi.json">AsyncAPI</a>, <a href="/api/schemas">JSON Schemas</a>;
          for pages of your own <a href="/client.js">client.js</a>.
        </p>
        <input
          type="search"
          aria-label="Search"
          placeholder="Search: alerts, sensor_data, POST …"
          value={question}
          onChange={(event) => setQuestion(event.target.value)}
        />
      </header>
      {trouble ? <p role="alert">{trouble}</p> : null}
      <div className="ref-columns">
        <nav aria-label="Groups">
          {groups.map(([group, entries]) => (
            <a key={group} href={`#${groupId(group)}`}>{group} <small>{entries.length}</small></a>
          ))}
        </nav>
        <main data-testid="entries" data-loaded={loaded !== null}>
          {loaded && groups.length === 0 ? <p>Nothing has all of these words.</p> : null}
          {groups.map(([group, entries]) => (
            <section key={group} id={groupId(group)}>
              <h2>{group}</h2>
              {entries.map((entry) => loaded && <EntryCard key={entry.id} entry={entry} names={loaded.names} open={entry.id === wanted} />)}
            </section>
          ))}
        </main>
      </div>
    </div>
  );
}

function groupId(group: string): string {
  return `group-${group.replaceAll(/\W+/g, "-")}`;
}

async function load(): Promise<Loaded> {
  const [openapi, asyncapi] = await Promise.all([get<OpenApi>("/api/openapi.json"), get<AsyncApi>("/api/asyncapi.json")]);
  return { entries: [...ofEvents(asyncapi), ...ofHttp(openapi)], names: await names(), version: openapi.info.version };
}

/** What this relay knows, for examples that find something; where a token is missing, the documents' own names. */
async function names(): Promise<Names> {
  const quiet = <T,>(path: string, without: T): Promise<T> => get<T>(path).catch(() => without);
  const [known, commands, alerts] = await Promise.all([
    quiet<{ devices: { device: string; online: boolean }[] }>("/api/devices", { devices: [] }),
    quiet<{ results: { command: string }[] }>("/api/commands?limit=1", { results: [] }),
    quiet<{ alerts: { alert: string }[] }>("/api/alerts?limit=1", { alerts: [] }),
  ]);
  const device = known.devices.find((one) => one.online) ?? known.devices[0];
  return {
    origin: location.origin,
    device: device?.device ?? "demo-pi",
    command: commands.results[0]?.command ?? "COMMAND",
    alert: alerts.alerts[0]?.alert ?? "ALERT",
  };
}

async function get<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: the relay answered ${response.status}`);
  return (await response.json()) as T;
}
