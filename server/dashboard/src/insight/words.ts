/** What a device learns and finds, in words. */

import type { ClientModelTrain, FindingKind, HorizonResult } from "../contract";
import { number, quantityOf, title } from "../format";
import type { Tone } from "../state/model";

const KINDS: Record<FindingKind, string> = {
  spike: "Spike",
  open_window: "Window open",
  offset: "Level jumped",
  drift: "Drift",
  stuck: "Stuck",
  silent: "Silent",
  unusual_motion: "Unusual motion",
};

/** The name of what was found. */
export function findingName(kind: FindingKind): string {
  return KINDS[kind];
}

const REASONS: Record<string, string> = {
  insufficient_data: "under seven days of history, or too many gaps in it",
  constant_series: "neither temperature nor humidity has changed once",
  out_of_memory: "it needed more memory than it may have",
  cpu_limit: "it needed more processor time than it may have",
  timeout: "it took too long",
  killed: "its process was killed",
  child_failed: "its process ended without a result",
  model_refused: "what came of it is no model that could serve",
  disk_full: "the disk is full",
  not_stored: "the disk did not take the model",
  stopped: "the agent ended meanwhile",
};

/** Longer than an agent lets a job run: after so long without a word it has broken off. */
const SILENCE_MS = 240_000;

/** Whether a job runs. `now` is the relay's time. One whose agent died tells no end. */
export function isTraining(training: ClientModelTrain | null, online: boolean, now: number): boolean {
  if (!training?.status || !online) return false;
  return now - Date.parse(training.taken_at ?? "") < SILENCE_MS || !training.taken_at;
}

/** A job's news for people. */
export function trainingTold(training: ClientModelTrain): { tone: Tone; what: string; why: string } {
  const phase = training.phase ?? (training.status ? "started" : "finished");
  const reason = training.reason ? (REASONS[training.reason] ?? training.reason.replaceAll("_", " ")) : "";
  switch (phase) {
    case "started":
    case "progress":
      return { tone: "plain", what: "Training began", why: training.trigger === "schedule" ? "by schedule" : "asked for" };
    case "finished":
      return { tone: "good", what: `Trained${training.model_version ? `: model ${training.model_version}` : ""}`, why: basis(training) };
    case "skipped":
      return { tone: "plain", what: "Training skipped", why: `${reason}; the model before it goes on serving, where there is one` };
    case "failed":
      return { tone: "bad", what: "Training failed", why: `${reason}; the model before it goes on serving, where there is one` };
  }
}

/** What a model was made of: `14.0 days, 2016 samples, in 1.6 s`. */
export function basis({ days, samples, duration_s }: ClientModelTrain): string {
  return [
    typeof days === "number" ? `${days.toFixed(1)} days` : "",
    typeof samples === "number" ? `${samples} samples` : "",
    typeof duration_s === "number" ? `in ${duration_s.toFixed(1)} s` : "",
  ]
    .filter(Boolean)
    .join(", ");
}

/** The error with its unit: half of a last decimal counts here. */
export function errorOf(quantity: string, value: number): string {
  const unit = quantityOf(quantity)?.unit ?? "";
  return `${value.toFixed(value < 1 ? 2 : 1)} ${unit === "%RH" ? "%" : unit}`.trim();
}

/** What the error of a forecast is worth against *it stays as it is*. */
export function worth({ mae, mae_persistence, gate }: HorizonResult): string {
  if (gate === 0) return "no better than “it stays as it is”, so that is what it says";
  const saved = mae_persistence > 0 ? Math.round((1 - mae / mae_persistence) * 100) : 0;
  return saved > 0 ? `${saved} % less error than “it stays as it is”` : "no better than “it stays as it is”";
}

/** `Temperature 19.4 °C in 10 min, 19.6 °C in 60 min (19.3 to 19.9)`. */
export function forecastTold(quantity: string, points: readonly { minutes: number; value: number; low: number; high: number }[]): string {
  const unit = quantityOf(quantity)?.unit ?? "";
  const sign = unit === "%RH" ? "%" : unit;
  const parts = points.map(
    ({ minutes, value, low, high }) => `${number(quantity, value)} ${sign} in ${minutes} min (${number(quantity, low)} to ${number(quantity, high)})`,
  );
  return `${title(quantity)} ${parts.join(", ")}`;
}
