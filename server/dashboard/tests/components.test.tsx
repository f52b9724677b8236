// @vitest-environment happy-dom
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Alert, CommandRequest, CommandResult, DeviceSnapshot, Snapshot } from "../src/contract";
import { AccessoryTile } from "../src/components/accessory/AccessoryTile";
import { AlertRow } from "../src/components/alerts/AlertRow";
import { SiteAlerts } from "../src/components/alerts/SiteAlerts";
import { AllDevices } from "../src/components/AllDevices";
import { ReadingTile } from "../src/components/ReadingTile";
import { ControlsContext, Operator } from "../src/link/operator";
import type { Relay } from "../src/link/relay";
import { rows } from "../src/state/roster";
import { store, useStore } from "../src/state/store";
import { alertTold, CONNECTED, device, light, result, snapshot } from "./support";

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}

const ago = (s: number) => new Date(Date.now() - s * 1000).toISOString();
const fan = { accessory: "fan", kind: "switch", title: "Fan", safe: "off" } as const;
const sent: CommandRequest[] = [];
let root: Root;
/** The newest command's id: never the same in two tests, as the page has one store. */
let newest = 0;
const command = () => `component-${newest}`;

const relay = {
  command: async (request: CommandRequest) => {
    sent.push(request);
    newest += 1;
    return { ok: true, code: "accepted", command: command(), devices: ["pi-1"] };
  },
} as unknown as Relay;

beforeEach(() => {
  globalThis.IS_REACT_ACT_ENVIRONMENT = true;
  sent.length = 0;
  const host = document.body.appendChild(document.createElement("div"));
  root = createRoot(host);
});

afterEach(async () => {
  await act(async () => {
    root.unmount();
    store.act({ deed: "dismissed", slot: "pi-1/fan" });
  });
  document.body.replaceChildren();
});

/** Show `what` at a relay that knows `devices`. */
async function show(what: ReactNode, devices: DeviceSnapshot[] = [device()], more: Partial<Snapshot> = {}) {
  await act(async () => {
    store.act(CONNECTED);
    store.receive(snapshot(devices, { at: ago(0), ...more }));
    root.render(<ControlsContext value={{ relay, operator: new Operator(store, relay) }}>{what}</ControlsContext>);
  });
  await told(() => undefined);
}

/** Let what is told reach the page: the store waits a moment when much comes at once. */
async function told(tell: () => void) {
  await act(async () => {
    tell();
    await new Promise((resolve) => setTimeout(resolve, 60));
  });
}

const byId = (id: string) => document.querySelector<HTMLElement>(`[data-testid="${id}"]`);
const press = (id: string) => act(async () => byId(id)?.click());

function Tile({ name = "fan" }: { name?: string }) {
  const known = useStore((state) => state.devices["pi-1"]);
  return known ? <AccessoryTile device={known} name={name} /> : null;
}

const reports = (status: boolean, more = {}) => light(status, { accessory: "fan", reported_at: ago(1), cursor: null, ...more });

describe("the tile of any accessory", () => {
  test("has its title, its safe state, its cause and what is left of its lease", async () => {
    await show(<Tile />, [device("pi-1", { infos: [fan] })]);
    await told(() => store.receive(reports(true, { id: 4, cause: "rule", by: "fan-when-hot", lease_left_s: 600, desired: true })));
    const text = byId("accessory-pi-1-fan")?.textContent ?? "";
    for (const words of ["Fan", "On", "rule fan-when-hot", "for another 9 min, then off", "safe state: off"]) expect(text).toContain(words);
    expect(byId("truth-asked")?.textContent).toBe("Askedon");
    expect(byId("truth-link")?.textContent).toBe("Linkonline");
  });

  test("shows what it reports while something else is asked, at every step", async () => {
    await show(<Tile />, [device("pi-1", { infos: [fan] })]);
    await told(() => store.receive(reports(false, { desired: false })));
    await press("btn-pi-1-fan-on");
    expect(sent).toEqual([{ action: "on", accessory: "fan", device: "pi-1" }]);
    const goOn = (state: CommandResult["state"], more = {}) =>
      told(() => store.receive(result(state, { command: command(), accessory: "fan", action: "on", ...more })));
    await goOn("sent");
    expect(byId("accessory-pi-1-fan")?.dataset).toMatchObject({ reported: "off", pending: "true" });
    await goOn("accepted");
    expect(byId("accessory-pi-1-fan")?.dataset).toMatchObject({ reported: "off", pending: "true" });
    await goOn("applied");
    expect(byId("accessory-pi-1-fan")?.dataset).toMatchObject({ reported: "off", pending: "true" });
    await goOn("failed", { code: "readback_differs", message: "" });
    expect(byId("accessory-pi-1-fan")?.dataset).toMatchObject({ reported: "off", pending: "false" });
    expect(byId("accessory-pi-1-fan")?.textContent).toContain("The pin was driven, and reads back differently. readback_differs");
  });

  test("an on carries the lease that was chosen", async () => {
    await show(<Tile />, [device("pi-1", { infos: [fan] })]);
    const lease = byId("btn-pi-1-fan-lease") as HTMLSelectElement;
    await act(async () => {
      lease.value = "600";
      lease.dispatchEvent(new Event("change", { bubbles: true }));
    });
    await press("btn-pi-1-fan-on");
    expect(sent).toEqual([{ action: "on", accessory: "fan", device: "pi-1", lease_s: 600 }]);
  });

  test("an off for a device that is away is queued only after a question; an on is not offered", async () => {
    await show(<Tile />, [device("pi-1", { infos: [fan], online: false })]);
    expect((byId("btn-pi-1-fan-on") as HTMLButtonElement).disabled).toBe(true);
    await press("btn-pi-1-fan-off");
    expect(sent).toEqual([]);
    expect(byId("queue-choice")?.textContent).toContain("pi-1 is offline: this will not happen now.");
    expect(byId("queue-choice")?.textContent).toContain("A newer command cancels it.");
    await press("btn-pi-1-fan-off-confirm");
    expect(sent).toEqual([{ action: "off", accessory: "fan", device: "pi-1", queue: true, ttl_s: 3600 }]);
  });

  test("a queued command says so, and does not lock the switch", async () => {
    const queued = result("queued", { command: "queued", accessory: "fan", expires_at: new Date(Date.now() + 3_600_000).toISOString(), by: "bob" }).body;
    await show(<Tile />, [device("pi-1", { infos: [fan], online: false, commands: [queued] })]);
    expect(byId("accessory-pi-1-fan")?.dataset).toMatchObject({ queued: "true", reported: "unknown" });
    expect(byId("accessory-pi-1-fan")?.textContent).toContain("asked by bob: off — queued: waits until");
    expect((byId("btn-pi-1-fan-off") as HTMLButtonElement).disabled).toBe(false);
  });

  test("has no controls for one who may only look", async () => {
    await show(<Tile />, [device("pi-1", { infos: [fan] })], { role: "viewer" });
    expect(document.querySelectorAll("button, select, input")).toHaveLength(0);
  });
});

describe("many devices", () => {
  const infos = [fan];
  const group = [device("a", { infos }), device("b", { infos, online: false }), device("c", { infos })];
  function All() {
    const listed = useStore((state) => JSON.stringify(rows(state)));
    return <AllDevices rows={JSON.parse(listed) as ReturnType<typeof rows>} tag="" />;
  }

  test("one that alone can be switched has its own switches, and no bar over them", async () => {
    await show(<All />, [device("a", { infos }), device("m")]);
    expect(byId("all-devices")).toBeNull();
    await show(<All />, [device("a", { infos }), device("b", { infos })]);
    expect(byId("all-devices")?.textContent).toContain("Both devices");
  });

  test("what only a retired device has is not offered", async () => {
    const pump = { accessory: "pump", title: "Pump", kind: "switch" };
    await show(<All />, [device("a", { infos }), device("b", { infos }), device("c", { infos: [pump], profile: { device: "c", retired: true } })]);
    expect([...(byId("all-accessory")?.querySelectorAll("option") ?? [])].map(({ value }) => value)).toEqual(["fan"]);
  });

  test("clean asks whether it waits for those that are away, and names those that did not answer", async () => {
    vi.spyOn(relay, "command").mockResolvedValueOnce({ ok: true, code: "accepted", command: "many", devices: ["a", "b", "c"] });
    await show(<All />, group);
    await press("btn-all-clean");
    expect(byId("queue-choice")?.textContent).toContain("Queue it for the one that is offline");
    await press("btn-all-clean-confirm");
    expect(relay.command).toHaveBeenCalledWith({ action: "clean", all: true, queue: true, ttl_s: 3600 });
    await told(() => {
      store.receive(result("verified", { command: "many", device: "a", action: "clean", accessory: null }));
      store.receive(result("queued", { command: "many", device: "b", action: "clean", accessory: null, expires_at: new Date(Date.now() + 60_000).toISOString() }));
      store.receive(result("failed", { command: "many", device: "c", action: "clean", accessory: null }));
    });
    expect(byId("all-note")?.textContent).toContain("1 of 3 confirmed, 1 queued, 1 not done");
    expect(byId("all-silent")?.textContent).toBe("Did not answer: c");
  });
});

describe("alerts", () => {
  test("what is the matter with the site is one line", async () => {
    const alert = alertTold("open", { device: null, severity: "critical", message: "Site offline: 41 of 44 devices" }).body as Alert;
    await show(<SiteAlerts />, [device()], { alerts: [alert] });
    expect(document.querySelectorAll("[data-testid^=alert-]")).toHaveLength(1);
    expect(byId("site-alerts")?.textContent).toContain("the whole site");
  });

  test("urgency is a shape with a name, not a colour alone", async () => {
    const severities = ["critical", "warning", "info"] as const;
    await show(severities.map((severity) => <AlertRow key={severity} alert={alertTold("open", { severity }).body as Alert} />));
    const marks = [...document.querySelectorAll("svg.severity")];
    expect(marks.map((mark) => mark.getAttribute("aria-label"))).toEqual(["Critical", "Warning", "Info"]);
    expect(new Set(marks.map((mark) => mark.querySelector(".severity-shape")?.outerHTML)).size).toBe(3);
  });

  test("one who may only look cannot settle any", async () => {
    await show(<AlertRow alert={alertTold().body as Alert} />, [device()], { role: "viewer" });
    expect(document.querySelectorAll("button")).toHaveLength(0);
  });
});

describe("a value", () => {
  function Temperature() {
    const reading = useStore((state) => state.devices["pi-1"]?.readings["temperature"]);
    return reading ? <ReadingTile device="pi-1" quantity="temperature" reading={reading} sampleIntervalS={2} /> : null;
  }
  const told21 = (more: object) => device("pi-1", { readings: { temperature: { value: 21, taken_at: ago(60), ...more } } });

  test("is fresh within its own schedule, and stale after it, with no data since", async () => {
    await show(<Temperature />, [told21({ stale_after_s: 90 })]);
    expect(byId("tile-pi-1-temperature")?.dataset["state"]).toBe("fresh");
    await show(<Temperature />, [told21({ stale_after_s: 30 })]);
    expect(byId("tile-pi-1-temperature")?.dataset["state"]).toBe("stale");
    expect(byId("no-data")?.textContent).toContain("no data since");
  });
});
