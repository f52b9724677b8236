/** What the buttons do: send a command, and keep the ask in the store until its final result. */

import { createContext, useContext } from "react";
import { EVENTS, type Action, type CommandRequest } from "../contract";
import * as http from "./http";
import { commandName } from "../state/log";
import type { Store } from "../state/store";
import type { Relay } from "./relay";

/** The slot of a command that is not for one accessory. */
export const CLEAN = "clean";

/** Whom a command to many is for. */
export type Group = { all: true } | { tag: string };

/** How a command is meant, beside what it does. */
export type Manner = Pick<CommandRequest, "lease_s" | "light" | "queue" | "ttl_s">;

export class Operator {
  readonly #store: Store;
  readonly #relay: Relay;
  #count = 0;

  constructor(store: Store, relay: Relay) {
    this.#store = store;
    this.#relay = relay;
  }

  /** Ask one device; `slot` is an accessory, or `clean`. */
  async one(device: string, slot: string, action: Action, manner: Manner = {}): Promise<void> {
    const local = this.#local();
    const ask = { local, device, slot, action, askedAt: Date.now(), command: null, refused: null, mine: true, by: null };
    this.#store.act({ deed: "asked", ask });
    await this.#send(local, slot, action, { device }, manner);
  }

  /** Ask all devices, or all with a tag. */
  async many(group: Group, slot: string, action: Action, manner: Manner = {}): Promise<void> {
    const local = this.#local();
    const label = commandName(action, slot === CLEAN ? null : slot);
    this.#store.act({
      deed: "asked_group",
      group: { local, label, action, slot, askedAt: Date.now(), command: null, devices: [], refused: null },
    });
    await this.#send(local, slot, action, group, manner);
  }

  async #send(local: string, slot: string, action: Action, target: Group | { device: string }, manner: Manner): Promise<void> {
    const request: CommandRequest = { action, ...(slot === CLEAN ? {} : { accessory: slot }), ...target, ...manner };
    const ack = await this.#relay.command(request);
    this.#store.act({ deed: "answered", local, action, slot, ack });
  }

  /** Say of an alert that it was seen, or that it is done with. Throws `HttpError`. */
  async settle(alert: string, deed: "acknowledge" | "close"): Promise<void> {
    const body = await http.settle(alert, deed);
    this.#store.receive({ event: EVENTS.ALERT_PUB_CLIENT, body });
  }

  // Not a UUID: those need a secure context, and a relay on a LAN may not have one.
  #local(): string {
    this.#count += 1;
    return `local-${this.#count}`;
  }
}

/** What the page's parts may do: send commands, try to connect at once, change a token for a session. */
export interface Controls {
  operator: Operator;
  relay: Relay;
}

export const ControlsContext = createContext<Controls | null>(null);

/** The controls that `main.tsx` built. */
export function useControls(): Controls {
  const controls = useContext(ControlsContext);
  if (!controls) throw new Error("ControlsContext is missing: render below it");
  return controls;
}
