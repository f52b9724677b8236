import { describe, expect, it } from "vitest";
import { EVENTS, type ClientModelTrain, type DeviceInsight, type Insight } from "../src/contract";
import { ahead, reachMs } from "../src/chart/ahead";
import { errorOf, forecastTold, isTraining, trainingTold, worth } from "../src/insight/words";
import { worst } from "../src/state/insight";
import type { Device } from "../src/state/model";
import type { Told } from "../src/state/reduce";
import { lineOf, keyOf } from "../src/why/record";
import { after, CONNECTED, device, iso, round, snapshot, T0 } from "./support";

const MINUTE = 60_000;
const STUCK = { kind: "stuck", active: true, severity: "warning", quantity: "temperature", cause: "unchanged for 180 minutes" } as const;
const SPIKE = { ...STUCK, kind: "spike", severity: "info", cause: "one reading +3.0 °C" } as const;
const IN_10 = { quantity: "temperature", minutes: 10, value: 21.04, low: 20.6, high: 21.4 };
const IN_60 = { ...IN_10, minutes: 60, value: 22.5, low: 21.5, high: 23.5 };

function known(insight: DeviceInsight | null, ...rounds: Told[]): Device["insight"] {
  const state = after(CONNECTED, snapshot([device("pi-1", { insight })]), ...rounds);
  const found = state.devices["pi-1"];
  if (!found) throw new Error("no device");
  return found.insight;
}

function saying(id: number, insight: Insight, takenAt = T0): Told {
  return round(id, { temperature: 21 }, { insight, taken_at: iso(takenAt) });
}

function training(more: Partial<ClientModelTrain> = {}): ClientModelTrain {
  return { status: false, datatime: "2026-03-01 12:00:00", accessory: "face_model", device: "pi-1", job: "j", taken_at: iso(T0), ...more };
}

describe("what a device makes of its readings", () => {
  it("is there at once on a page that joins", () => {
    const insight = known({ findings: [{ ...STUCK, at: iso(T0) }], forecast: [IN_10], forecast_at: iso(T0), model: 3 });
    expect(insight.findings.map(({ kind }) => kind)).toEqual(["stuck"]);
    expect([insight.forecastAt, insight.model]).toEqual([T0, 3]);
  });

  it("holds a finding from its beginning to its end", () => {
    const began = saying(1, { findings: [STUCK] });
    expect(known(null, began, round(2, { temperature: 21 })).findings).toEqual([{ ...STUCK, at: iso(T0) }]);
    expect(known(null, began, saying(2, { findings: [{ ...STUCK, active: false }] })).findings).toEqual([]);
  });

  it("lets a spike go after a while: it has no end", () => {
    const spike: DeviceInsight = { findings: [{ ...SPIKE, at: iso(T0 - 11 * MINUTE) }] };
    expect(known(spike).findings).toHaveLength(1);
    expect(known(spike, round(1, { temperature: 21 })).findings).toEqual([]);
  });

  it("keeps the newest forecast, and does not believe a clock that is ahead", () => {
    const late = known({ forecast: [IN_10], forecast_at: iso(T0) }, saying(1, { forecast: [IN_60], model: 1 }, T0 - MINUTE));
    expect(late.forecast).toEqual([IN_10]);
    const early = known(null, saying(1, { forecast: [IN_60], model: 1 }, T0 + 3_600_000));
    expect(early.forecastAt).toBe(T0);
  });

  it("is marked by the most urgent finding of a quantity", () => {
    const { findings } = known(null, saying(1, { findings: [SPIKE, STUCK] }));
    expect([worst(findings)?.kind, worst(findings, "temperature")?.kind, worst(findings, "humidity")]).toEqual(["stuck", "stuck", undefined]);
  });

  it("remembers when a reading was unusual", () => {
    expect(known(null, saying(1, { scores: { temperature: 0.62 } }), round(2, { temperature: 21 })).scores).toEqual({
      temperature: { score: 0.62, at: T0 },
    });
  });
});

describe("the forecast of a chart", () => {
  const insight = known({ forecast: [IN_60, IN_10], forecast_at: iso(T0) });

  it("has only what is still to come, in order", () => {
    expect(ahead(insight, "temperature", T0 + MINUTE).map(({ at }) => at)).toEqual([T0 + 10 * MINUTE, T0 + 60 * MINUTE]);
    expect(ahead(insight, "temperature", T0 + 11 * MINUTE).map(({ at }) => at)).toEqual([T0 + 60 * MINUTE]);
    expect(ahead(insight, "humidity", T0)).toEqual([]);
  });

  it("ends when no new one comes", () => {
    expect(ahead(insight, "temperature", T0 + 26 * MINUTE)).toEqual([]);
  });

  it("reaches as far as its span has room for", () => {
    expect([15 * MINUTE, 60 * MINUTE, 1440 * MINUTE, 7 * 1440 * MINUTE].map((ms) => reachMs(ms) / MINUTE)).toEqual([10, 60, 60, 0]);
  });

  it("is told in words too", () => {
    expect(forecastTold("temperature", [IN_10])).toBe("Temperature 21.0 °C in 10 min (20.6 to 21.4)");
  });
});

describe("training in words", () => {
  const horizon = { quantity: "temperature", minutes: 60, mae: 0.15, mae_persistence: 0.3, gate: 1 };

  it("says what an error is worth, and when nothing is gained", () => {
    expect(worth(horizon)).toBe("50 % less error than “it stays as it is”");
    expect(worth({ ...horizon, gate: 0 })).toContain("no better");
    expect(worth({ ...horizon, mae: 0.31 })).toContain("no better");
    expect([errorOf("temperature", 0.154), errorOf("humidity", 1.08)]).toEqual(["0.15 °C", "1.1 %"]);
  });

  it("says why there is no new model, and that the old one serves", () => {
    const { what, why } = trainingTold(training({ phase: "skipped", reason: "insufficient_data" }));
    expect(what).toBe("Training skipped");
    expect(why).toContain("under seven days");
    expect(trainingTold(training({ phase: "failed", reason: "killed" })).tone).toBe("bad");
  });

  it.each([
    ["news have just come", true, training({ status: true }), T0, true],
    ["it ended", true, training(), T0, false],
    ["its device is away", false, training({ status: true }), T0, false],
    ["nothing was heard for longer than a job may take", true, training({ status: true }), T0 + 5 * MINUTE, false],
  ])("runs or not: %s", (_, online, body, now, runs) => {
    expect(isTraining(body, online, now)).toBe(runs);
  });

  it("has its lines in the device's log", () => {
    const record = { at: iso(T0), kind: "training", training: training({ phase: "failed", reason: "timeout" }) } as const;
    expect(lineOf(record)).toMatchObject({ tone: "bad", what: "Training failed", code: "timeout" });
    expect(keyOf(record)).toContain("j/failed");
    expect(lineOf({ at: iso(T0), kind: "profile", profile: { by: "anna", change: { train: "c1" } } }).what).toBe("Training asked for");
  });

  it("is shown live from the relay's frames", () => {
    const told = { event: EVENTS.MODEL_TRAIN_PUB_CLIENT, body: training({ status: true, phase: "progress", progress: 0.5, cursor: 200 }) } as const;
    expect(after(CONNECTED, snapshot(), told).devices["pi-1"]?.training?.progress).toBe(0.5);
  });
});
