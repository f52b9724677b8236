/** What a device makes of its readings: a round tells only what is new, this is what holds. */

import type { DeviceInsight, Finding, Insight as Told, KnownFinding } from "../contract";
import { epoch } from "../format";
import { NO_INSIGHT, type Insight } from "./model";

/** A spike has no end: it is shown for so long. */
const SPIKE_MS = 600_000;

/** What the relay has kept of it. `now` is the relay's time. */
export function fromInsight(body: DeviceInsight | null | undefined, now: number): Insight {
  if (!body) return NO_INSIGHT;
  return {
    findings: body.findings ?? [],
    forecast: body.forecast ?? [],
    forecastAt: epoch(body.forecast_at),
    model: body.model ?? null,
    scores: scored(body.scores, now),
  };
}

/** After one more round. `now` is the relay's time; a clock that is ahead of it is not believed. */
export function withInsight(before: Insight, body: Told | null | undefined, takenAt: string | null | undefined, now: number): Insight {
  const at = Math.min(epoch(takenAt) ?? now, now);
  const kept = before.findings.filter((one) => one.kind !== "spike" || at - (epoch(one.at) ?? at) <= SPIKE_MS);
  if (!body) return kept.length === before.findings.length ? before : { ...before, findings: kept };
  const news = body.findings ?? [];
  const old = kept.filter((one) => !news.some(({ kind, quantity }) => kind === one.kind && quantity === one.quantity));
  const begun = news.filter(({ active }) => active).map((one) => knownSince(one, at));
  const forecast = (body.forecast?.length ?? 0) > 0 && at >= (before.forecastAt ?? 0);
  return {
    findings: [...old, ...begun],
    forecast: forecast ? (body.forecast ?? []) : before.forecast,
    forecastAt: forecast ? at : before.forecastAt,
    model: forecast ? (body.model ?? null) : before.model,
    scores: { ...before.scores, ...scored(body.scores, at) },
  };
}

const MOST_URGENT_FIRST = ["critical", "warning", "info"] as const;

/** The most urgent finding, of one quantity where that is named. */
export function worst(findings: readonly KnownFinding[], quantity?: string): KnownFinding | undefined {
  const among = quantity === undefined ? findings : findings.filter((one) => one.quantity === quantity);
  return MOST_URGENT_FIRST.map((severity) => among.find((one) => one.severity === severity)).find(Boolean);
}

function knownSince({ kind, active, severity, quantity, cause }: Finding, at: number): KnownFinding {
  return { kind, active, severity, quantity, cause, at: new Date(at).toISOString() };
}

function scored(scores: Readonly<Record<string, number>> | undefined, at: number): Insight["scores"] {
  return Object.fromEntries(Object.entries(scores ?? {}).map(([quantity, score]) => [quantity, { score, at }]));
}
