import { describe, expect, test } from "vitest";
import { alertsOf, inUrgency, standingAlerts } from "../src/state/alerts";
import type { Alert } from "../src/contract";
import { after, alertTold, device, iso, snapshot, T0 } from "./support";

const body = (told: ReturnType<typeof alertTold>) => told.body as Alert;
const texts = (state: ReturnType<typeof after>) => state.log.map(({ text }) => text);

describe("alerts", () => {
  test("are as the snapshot says, without the closed ones", () => {
    const alerts = [body(alertTold()), body(alertTold("closed", { alert: "a2" }))];
    expect(Object.keys(after(alertTold("open", { alert: "old" }), snapshot([device()], { alerts })).alerts)).toEqual(["a1"]);
  });

  test("are opened, acknowledged and closed, each with one line in the log", () => {
    const state = after(
      snapshot(),
      alertTold(),
      alertTold(),
      alertTold("acknowledged", { acknowledged_by: "ann", acknowledged_at: iso(T0) }),
      alertTold("closed", { closed_at: iso(T0) }),
    );
    expect(state.alerts).toEqual({});
    expect(state.closed.map(({ alert }) => alert)).toEqual(["a1"]);
    expect(texts(state)).toEqual([
      "Over: Temperature above 27 °C",
      "Acknowledged by ann: Temperature above 27 °C",
      "Warning: Temperature above 27 °C",
    ]);
  });

  test("a frame that is sent again does not open what was closed", () => {
    expect(after(snapshot(), alertTold(), alertTold("closed"), alertTold()).alerts).toEqual({});
  });

  test("a replayed one from before the snapshot is logged, and opens nothing", () => {
    const state = after(snapshot(), alertTold("open", { cursor: 7 }));
    expect(state.alerts).toEqual({});
    expect(texts(state)).toEqual(["Warning: Temperature above 27 °C"]);
  });

  test("closed ones are bounded", () => {
    const many = Array.from({ length: 200 }, (_, index) => alertTold("closed", { alert: `a${index}` }));
    expect(after(snapshot(), ...many).closed).toHaveLength(50);
  });

  test("of a device, and of the site as a whole, are told apart", () => {
    const state = after(snapshot(), alertTold(), alertTold("open", { alert: "s1", device: null }));
    expect(alertsOf(state, "pi-1").map(({ alert }) => alert)).toEqual(["a1"]);
    expect(alertsOf(state, null).map(({ alert }) => alert)).toEqual(["s1"]);
  });

  test("the bell counts the open ones and shows the worst of them", () => {
    const state = after(snapshot(), alertTold(), alertTold("acknowledged", { alert: "a2", severity: "critical" }));
    expect(standingAlerts(state)).toEqual({ open: 1, worst: "warning" });
    expect(standingAlerts(after(snapshot()))).toEqual({ open: 0, worst: null });
  });

  test("stand with the most urgent first, then the newest", () => {
    const alerts = [
      body(alertTold("open", { alert: "i", severity: "info" })),
      body(alertTold("open", { alert: "old", opened_at: iso(T0 - 9_000_000) })),
      body(alertTold("open", { alert: "new" })),
      body(alertTold("open", { alert: "c", severity: "critical", opened_at: iso(T0 - 9_000_000) })),
    ];
    expect(inUrgency(alerts).map(({ alert }) => alert)).toEqual(["c", "new", "old", "i"]);
  });
});
