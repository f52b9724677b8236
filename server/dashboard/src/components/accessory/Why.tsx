import { briefly, duration } from "../../format";
import { safeName, causeName } from "../../words";
import type { AccessoryInfo } from "../../contract";
import type { Accessory } from "../../state/model";

/** Why it is what it is, how long it stays so, and what becomes of it when nobody answers for it. `now` is the relay's time. */
export function Why({ accessory, info, now }: { accessory: Accessory | undefined; info: AccessoryInfo | undefined; now: number }) {
  const since = accessory?.since ?? null;
  const cause = accessory ? causeName(accessory.cause, accessory.by) : "";
  const parts = [since === null ? "" : `since ${briefly(since, now)}`, cause].filter(Boolean);
  return (
    <>
      {parts.length > 0 && (
        <p className="accessory-why" data-testid="why">
          {parts.join(": ")}
        </p>
      )}
      {accessory?.reported === true && accessory.leaseUntil !== null && (
        <p className="accessory-lease" data-testid="lease">
          {accessory.leaseUntil > now ? `for another ${duration((accessory.leaseUntil - now) / 1000)}` : "its time is up"}
          {info?.safe ? `, then ${safeName(info.safe)}` : ""}
        </p>
      )}
      {info?.safe && (
        <p className="accessory-safe" title="What it becomes when its lease ends, the link is lost for long, or the agent dies">
          safe state: {safeName(info.safe)}
        </p>
      )}
      {accessory?.fault && (
        <p className="accessory-fault">
          {accessory.fault.message || ""} <code>{accessory.fault.code}</code>
        </p>
      )}
    </>
  );
}
