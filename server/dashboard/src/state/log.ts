/** The activity log: what a person would want to read, newest first. */

import type { Action, CommandResult } from "../contract";
import { latency, sentence, title } from "../format";
import { isFinal } from "./commands";
import type { LogEntry } from "./model";
import { stateName, words } from "../words";

const KEPT = 150;


/** The log with an entry on top, or with the entry of the same key replaced where it stands. */
export function logged(log: readonly LogEntry[], entry: LogEntry): readonly LogEntry[] {
  const index = log.findIndex(({ key }) => key === entry.key);
  const before = log[index];
  if (before) return log.with(index, { ...entry, at: before.at });
  return [entry, ...log].slice(0, KEPT);
}

/** `Breath light off`, `Check infrared sensor`, `Everything off`. */
export function commandName(action: Action, accessory: string | null | undefined): string {
  if (action === "clean") return "Everything off";
  const name = sentence(accessory ?? "accessory");
  return action === "check" ? `Check ${name.toLowerCase()}` : `${name} ${action}`;
}

/** A command's entry: one line that changes as the command goes on. `accessory` is what people call the part. */
export function commandEntry(result: CommandResult, accessory: string | null, at: number): LogEntry {
  const name = commandName(result.action, accessory);
  const entry = { key: `command/${result.command}/${result.device}`, at, kind: "command", device: result.device } as const;
  if (!isFinal(result.state)) return { ...entry, tone: "plain", text: `${name}: ${stateName(result.state)}` };
  if (result.state !== "verified")
    return { ...entry, tone: "bad", text: `${name}: ${stateName(result.state)}. ${words(result.code, result.message)}` };
  const answer = result.action === "check" && typeof result.status === "boolean" ? `, it is ${result.status ? "on" : "off"}` : "";
  const speed = typeof result.elapsed_ms === "number" ? ` in ${latency(result.elapsed_ms)}` : "";
  return { ...entry, tone: "good", text: `${name}: confirmed${speed}${answer}` };
}

/** A quantity failed, or came back. */
export function sensorEntry(device: string, quantity: string, reason: string | null, at: number): LogEntry {
  const text = reason === null ? `${title(quantity)} reads again` : `${title(quantity)} failed: ${reason}`;
  return { key: `sensor/${device}/${quantity}/${at}`, at, kind: "sensor", tone: reason === null ? "good" : "bad", device, text };
}
