/** The page's connection to the relay: the only owner of the Socket.IO client. */

import { io, type Socket } from "socket.io-client";
import { EVENTS, type Ack, type ClientHello, type CommandRequest, type ReplayRequest, type Snapshot, type TrainRequest } from "../contract";
import { outcome } from "../state/commands";
import { Gaps, type Frame } from "../state/gaps";
import type { Link } from "../state/model";
import type { Told } from "../state/reduce";
import type { Store } from "../state/store";
import { commandResults, device as deviceByHttp } from "./http";
import { waitMs } from "./backoff";
import { words } from "../words";

const ACK_MS = 10_000;
/** A replay of a day takes its time. */
const REPLAY_MS = 60_000;
/** The relay waits for the device, ten seconds at most. */
const TRAIN_MS = 15_000;

const EVENTS_TO_PAGES = [
  EVENTS.SNAPSHOT_PUB_CLIENT,
  EVENTS.SENSOR_DATA_PUB_CLIENT,
  EVENTS.ACCESSORY_STATUS_PUB_CLIENT,
  EVENTS.MOTION_PUB_CLIENT,
  EVENTS.MODEL_TRAIN_PUB_CLIENT,
  EVENTS.DEVICE_STATUS_PUB_CLIENT,
  EVENTS.DEVICE_PROFILE_PUB_CLIENT,
  EVENTS.DEVICE_REMOVED_PUB_CLIENT,
  EVENTS.ALERT_PUB_CLIENT,
  EVENTS.COMMAND_RESULT_PUB_CLIENT,
  EVENTS.ERROR_PUB,
] as const;

interface Refused extends Error {
  data?: { code?: string; message?: string };
}

/** Connects, reconnects with a wait that is shown, and tells the store what arrives. */
export class Relay {
  readonly #store: Store;
  readonly #socket: Socket;
  readonly #gaps = new Gaps<Told>({
    ask: (since) => this.#ask(EVENTS.REPLAY_REQUEST_CLIENT, { since }, REPLAY_MS),
    tell: (told) => this.#tell(told),
    refused: ({ code, message }) => this.#tell({ event: EVENTS.ERROR_PUB, body: { code, message: message ?? "" } }),
    giveUp: () => void this.#socket.disconnect(),
  });
  #attempt = 0;
  #lostAt: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `device` narrows the connection to one device; null sees all. */
  constructor(store: Store, device: string | null) {
    this.#store = store;
    this.#socket = io("/client", {
      autoConnect: false,
      // The waits are ours: the library does not tell when it will try again.
      reconnection: false,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      timeout: 8000,
      auth: (send) => send(this.#hello()),
      ...(device === null ? {} : { query: { device } }),
    });
    this.#socket.on("connect", () => this.#connected());
    this.#socket.on("disconnect", (reason) => this.#lost(reason === "io server disconnect" ? "closed by the relay" : ""));
    this.#socket.on("connect_error", (error: Refused) => this.#refused(error));
    for (const event of EVENTS_TO_PAGES)
      this.#socket.on(event, (body: unknown) => this.#told({ event, body } as Told));
    window.addEventListener("online", this.retry);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retry();
    });
  }

  /** Connect for the first time, or again after a token was given. */
  connect(): void {
    clearTimeout(this.#timer);
    this.#attempt = 0;
    this.#try();
  }

  /** Do not wait any longer; nothing happens while connected or refused. */
  readonly retry = (): void => {
    const { link } = this.#store.get();
    if (link.state === "reconnecting" && link.retryAt !== null) this.connect();
  };

  /** Close for good: the token was given back. */
  leave(message: string): void {
    clearTimeout(this.#timer);
    this.#set({ state: "unauthenticated", message });
    this.#socket.disconnect();
  }

  /** Send a command; the answer is an ack, also where the relay did not answer in time. */
  async command(request: CommandRequest): Promise<Ack> {
    return this.#ask(EVENTS.COMMAND_REQUEST_CLIENT, request, ACK_MS);
  }

  /** Have a device train; the relay answers when the device has. */
  async train(device: string): Promise<Ack> {
    return this.#ask(EVENTS.TRAIN_REQUEST_CLIENT, { device }, TRAIN_MS);
  }

  async #ask(event: string, body: CommandRequest | TrainRequest | ReplayRequest, patienceMs: number): Promise<Ack> {
    try {
      return (await this.#socket.timeout(patienceMs).emitWithAck(event, body)) as Ack;
    } catch {
      return { ok: false, code: "no_answer", message: words("no_ack"), retry: true };
    }
  }

  #told(told: Told): void {
    if (told.event === EVENTS.ERROR_PUB && told.body.code === "missed" && typeof told.body.since === "number")
      this.#gaps.missed(told.body.since);
    else this.#gaps.take(told.body as Frame, told);
    if (told.event === EVENTS.SNAPSHOT_PUB_CLIENT) this.#gaps.welcomed();
  }

  #tell(told: Told): void {
    this.#store.receive(told);
    if (told.event === EVENTS.SNAPSHOT_PUB_CLIENT) void this.#catchUp(told.body);
    if (told.event === EVENTS.DEVICE_STATUS_PUB_CLIENT && told.body.online) void this.#introduce(told.body.device);
  }

  /** A device that came: the event says only that it did; its intervals and tags are its own. */
  async #introduce(name: string): Promise<void> {
    try {
      this.#store.act({ deed: "introduced", device: await deviceByHttp(name) });
    } catch {
      // The next snapshot tells it; until then the page goes by what it observes.
    }
  }

  /** Results are not replayed: ask what became of the commands that were open before, and are not in the snapshot. */
  async #catchUp({ devices }: Snapshot): Promise<void> {
    const { asks, results } = this.#store.get();
    const open = new Set(devices.flatMap((device) => device.commands ?? []).map(({ command }) => command));
    const lost = Object.values(asks).filter(
      (ask) => ask.refused?.code === "connection_lost" || outcome(ask, results, Date.now()).phase === "pending",
    );
    const commands = [...new Set(lost.map((ask) => ask.command).filter((command) => command !== null && !open.has(command)))];
    // Where the relay no longer knows, the ask stays as lost: the reported state is the truth.
    for (const answer of await Promise.allSettled(commands.map((command) => commandResults(command ?? ""))))
      if (answer.status === "fulfilled")
        for (const body of answer.value) this.#store.receive({ event: EVENTS.COMMAND_RESULT_PUB_CLIENT, body });
  }

  #hello(): ClientHello {
    const { cursor } = this.#gaps;
    return cursor === undefined ? {} : { since: cursor };
  }

  #set(link: Link): void {
    this.#store.act({ deed: "link", link });
  }

  #try(): void {
    if (this.#lostAt !== null) this.#set({ state: "reconnecting", lostAt: this.#lostAt, retryAt: null, why: "" });
    else this.#set({ state: "connecting" });
    this.#socket.connect();
  }

  #connected(): void {
    this.#attempt = 0;
    this.#lostAt = null;
    this.#set({ state: "connected" });
  }

  #refused(error: Refused): void {
    const code = error.data?.code ?? error.message;
    if (code === "unauthenticated") {
      this.#lostAt = null;
      this.#set({ state: "unauthenticated", message: error.data?.message ?? "" });
    } else this.#lost(error.data?.message ?? "");
  }

  #lost(why: string): void {
    this.#gaps.beginAnew();
    if (this.#store.get().link.state === "unauthenticated") return;
    this.#lostAt ??= Date.now();
    const wait = waitMs(this.#attempt++, Math.random());
    this.#set({ state: "reconnecting", lostAt: this.#lostAt, retryAt: Date.now() + wait, why });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#try(), wait);
  }
}
