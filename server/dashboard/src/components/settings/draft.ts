/** A device's profile as it is typed, and what of it has changed. */

import type { ProfileChange } from "../../link/http";
import type { Profile } from "../../state/model";

export interface Draft {
  title: string;
  place: string;
  /** By commas. */
  tags: string;
  timeZone: string;
  /** Per quantity, as typed. */
  calibration: Readonly<Record<string, string>>;
}

/** The zones that this browser knows; what the relay takes is for the relay to say. */
export const ZONES: readonly string[] = Intl.supportedValuesOf("timeZone");

/** A profile as its form shows it. */
export function draftOf(profile: Profile): Draft {
  return {
    title: profile.title ?? "",
    place: profile.place ?? "",
    tags: profile.tags.join(", "),
    timeZone: profile.timeZone ?? "",
    calibration: Object.fromEntries(Object.entries(profile.calibration).map(([quantity, offset]) => [quantity, String(offset)])),
  };
}

/** An offset as typed: with a comma or a point, with any minus sign; NaN where it is no number. */
export function offsetOf(text: string): number {
  const plain = text.trim().replace(",", ".").replace("−", "-");
  return plain === "" ? 0 : Number(plain);
}

/** Why a draft cannot be saved; null where it can. */
export function troubleIn(draft: Draft): string | null {
  for (const [quantity, text] of Object.entries(draft.calibration))
    if (!Number.isFinite(offsetOf(text))) return `“${text}” is no number to add to ${quantity}.`;
  const long = tagsOf(draft.tags).find((tag) => tag.length > 64);
  return long === undefined ? null : `The tag “${long.slice(0, 20)}…” is longer than 64 letters.`;
}

/** What is different: only that is sent, so that two people may change two things at once. */
export function changeOf(profile: Profile, draft: Draft): ProfileChange {
  const text = (typed: string) => (typed.trim() === "" ? null : typed.trim());
  const change: ProfileChange = {};
  if (text(draft.title) !== profile.title) change.title = text(draft.title);
  if (text(draft.place) !== profile.place) change.place = text(draft.place);
  if (text(draft.timeZone) !== profile.timeZone) change.time_zone = text(draft.timeZone);
  const tags = tagsOf(draft.tags);
  if (tags.toSorted().join("\n") !== profile.tags.toSorted().join("\n")) change.tags = tags;
  const calibration = Object.fromEntries(
    Object.entries(draft.calibration)
      .map(([quantity, typed]): [string, number] => [quantity, offsetOf(typed)])
      .filter(([, offset]) => offset !== 0),
  );
  if (!same(calibration, profile.calibration)) change.calibration = calibration;
  return change;
}

function tagsOf(typed: string): string[] {
  return [...new Set(typed.split(",").map((tag) => tag.trim()).filter(Boolean))];
}

function same(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => Object.is(a[key], b[key]));
}
