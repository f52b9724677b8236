/** The two documents as one list of entries that can be grouped, searched and shown. */

/** As much of JSON Schema as the relay's documents use. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema | false;
  additionalProperties?: Schema | boolean;
  anyOf?: Schema[];
  allOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  unit?: string;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  maxLength?: number;
  pattern?: string;
  default?: unknown;
}

export type Schemas = Record<string, Schema>;

interface Parameter {
  name: string;
  in: "path" | "query";
  description?: string;
  required?: boolean;
  schema: Schema;
  example?: unknown;
}

interface Media {
  schema: Schema;
  example?: unknown;
}

interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  security: object[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
  "x-roles": string[];
  "x-download": boolean;
}

export interface OpenApi {
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Schemas };
}

interface Message {
  name: string;
  summary: string;
  payload: Schema;
  examples: { payload: unknown }[];
  "x-timeout-s"?: number | null;
  "x-broadcast"?: boolean;
  "x-delivery"?: string;
  "x-when-slow"?: string | null;
  "x-same-by"?: readonly string[];
  "x-addition"?: boolean;
  "x-publisher"?: string;
  "x-subscriber"?: string;
}

interface Pointer {
  $ref: string;
}

export interface AsyncApi {
  servers: { broker?: { host: string } };
  channels: Record<string, { address: string; title: string; description: string }>;
  operations: Record<string, { action: "send" | "receive"; channel: Pointer; summary: string; messages: [Pointer]; reply?: object }>;
  components: { messages: Record<string, Message>; schemas: Schemas };
}

/** One thing that a program can do here, or hear. */
export interface Entry {
  id: string;
  group: string;
  badge: string;
  tone: "read" | "write" | "hear";
  title: string;
  summary: string;
  facts: [string, string][];
  parameters: Parameter[];
  body: Schema | null;
  answers: { status: string; description: string; schema: Schema | null; ok: boolean }[];
  schemas: Schemas;
  /** What its example is made of. */
  call:
    | { kind: "http"; method: string; path: string; parameters: Parameter[]; body: unknown; token: boolean; download: boolean }
    | { kind: "socket"; namespace: string; event: string; sends: boolean; body: unknown; type: string }
    | { kind: "mqtt"; broker: string; topic: string; sends: boolean; body: unknown };
}

/** The operations over HTTP. */
export function ofHttp(document: OpenApi): Entry[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Entry => {
      const body = operation.requestBody?.content["application/json"];
      const parameters = operation.parameters ?? [];
      const token = operation.security.length > 0 && operation.security.every((one) => Object.keys(one).length > 0);
      return {
        id: operation.operationId,
        group: `HTTP · ${operation.tags[0] ?? ""}`,
        badge: method.toUpperCase(),
        tone: method === "get" ? "read" : "write",
        title: path,
        summary: operation.summary,
        facts: [["For", operation["x-roles"].join(", ") || "everybody"]],
        parameters,
        body: body?.schema ?? null,
        answers: Object.entries(operation.responses).map(([status, response]) => ({
          status,
          description: response.description,
          schema: Object.values(response.content ?? {})[0]?.schema ?? null,
          ok: status < "400",
        })),
        schemas: document.components.schemas,
        call: { kind: "http", method: method.toUpperCase(), path, parameters, body: body?.example, token, download: operation["x-download"] },
      };
    }),
  );
}

/** The events, and the broker's topics. */
export function ofEvents(document: AsyncApi): Entry[] {
  return Object.entries(document.operations).map(([id, operation]): Entry => {
    const channel = document.channels[last(operation.channel)];
    const message = document.components.messages[last(operation.messages[0])];
    if (!channel || !message) throw new Error(`${id} names what is not there`);
    const socket = channel.address.startsWith("/");
    const takes = operation.action === "receive";
    const shown = message.examples[0]?.payload;
    const timeout = message["x-timeout-s"];
    const facts: [string, string][] = socket
      ? [
          ["From", message["x-publisher"] ?? ""],
          ["To", message["x-subscriber"] ?? ""],
          ["Ack", timeout ? `within ${timeout} s` : takes ? "if asked for" : "none"],
          ["Delivery", `${message["x-broadcast"] ? "broadcast; " : ""}${message["x-delivery"] ?? ""}`],
          ...(message["x-when-slow"] ? [slowFact(message["x-when-slow"], message["x-same-by"] ?? [])] : []),
          ...(message["x-addition"] ? ([["Original", "no: added by this relay"]] as [string, string][]) : []),
        ]
      : [["Topic", channel.address]];
    return {
      id,
      group: socket ? `Socket.IO · ${channel.address}` : "MQTT",
      badge: takes ? "relay takes" : "relay sends",
      tone: takes ? "write" : "hear",
      title: socket ? message.name : channel.address,
      summary: operation.summary,
      facts,
      parameters: [],
      body: message.payload,
      answers: operation.reply ? [{ status: "ack", description: "What became of it.", schema: { $ref: "#/components/schemas/Ack" }, ok: true }] : [],
      schemas: document.components.schemas,
      call: socket
        ? { kind: "socket", namespace: channel.address, event: message.name, sends: takes, body: shown, type: doorType(message) }
        : { kind: "mqtt", broker: document.servers.broker?.host ?? "", topic: channel.address, sends: takes, body: shown },
    };
  });
}

function slowFact(policy: string, sameBy: readonly string[]): [string, string] {
  return ["To the slow", sameBy.length > 0 ? `${policy}; the same by ${sameBy.join(", ")}` : policy];
}

function doorType(message: Message): string {
  if (message["x-publisher"] === "ESP32" || message["x-subscriber"] === "ESP32") return "esp32";
  return message["x-subscriber"] === "Logger" ? "logger" : "";
}

function last(pointer: Pointer): string {
  return pointer.$ref.slice(pointer.$ref.lastIndexOf("/") + 1);
}

/** Entries that have all words of the question somewhere. */
export function search(entries: readonly Entry[], question: string): Entry[] {
  const words = question.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter((entry) => {
    const text = `${entry.group} ${entry.badge} ${entry.title} ${entry.summary} ${JSON.stringify(entry.call)}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** By group, in the order in which the groups first come. */
export function grouped(entries: readonly Entry[]): [string, Entry[]][] {
  return [...Map.groupBy(entries, (entry) => entry.group)];
}
