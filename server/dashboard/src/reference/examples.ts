/** Examples that run as they stand: with the relay's own address, and names that it knows. */

import type { Entry } from "./model";

/** What stands for the names in the documents' examples. */
export interface Names {
  origin: string;
  device: string;
  command: string;
  alert: string;
}

const PLACEHOLDERS: readonly [keyof Names, string][] = [
  ["device", "demo-pi"],
  ["command", "COMMAND"],
  ["alert", "ALERT"],
];

/** The example of an entry, and the language that it is in. */
export function example(entry: Entry, names: Names): { language: "sh" | "js"; text: string } {
  const { call } = entry;
  if (call.kind === "http") return { language: "sh", text: curl(call, names) };
  if (call.kind === "mqtt") return { language: "sh", text: mosquitto(call) };
  return { language: "js", text: socket(call, names) };
}

function curl(call: Extract<Entry["call"], { kind: "http" }>, names: Names): string {
  let path = call.path;
  const query = new URLSearchParams();
  for (const parameter of call.parameters) {
    const value = named([parameter.example ?? ""].flat().map(String).join(","), names);
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (parameter.required || parameter.example !== undefined) query.set(parameter.name, value);
  }
  const address = `${names.origin}${path}${query.size > 0 ? `?${query}` : ""}`;
  const parts = ["curl -sS"];
  if (call.method !== "GET") parts.push(`-X ${call.method}`);
  parts.push(query.size > 0 ? `'${address}'` : address);
  if (call.token) parts.push('-H "Authorization: Bearer $BREATHLIGHT_TOKEN"');
  if (call.body !== undefined) parts.push(`-H 'Content-Type: application/json' -d '${json(call.body, names)}'`);
  return parts.join(" \\\n  ");
}

function socket(call: Extract<Entry["call"], { kind: "socket" }>, names: Names): string {
  const address = `${names.origin}${call.namespace === "/" ? "" : call.namespace}`;
  const auth = call.namespace === "/pi" ? hello(call.body) : "{ /* token: \"bl_…\" */ }";
  const query = call.type === "" ? "" : `, query: { type: "${call.type}" }`;
  const open = `import { io } from "socket.io-client";\n\nconst socket = io("${address}", { auth: ${auth}${query} });\n`;
  if (call.sends) {
    return `${open}console.log(await socket.timeout(10_000).emitWithAck("${call.event}", ${json(call.body, names)}));\nsocket.close();`;
  }
  return `${open}socket.on("${call.event}", (body) => console.log(body));`;
}

/** What a device says first: its name, and what it has beside a light and an infrared sensor. */
function hello(body: unknown): string {
  const accessory = (body as { accessory?: string }).accessory;
  const own = accessory === undefined || accessory === "breath_light" ? "" : `, accessories: [{ accessory: "${accessory}" }]`;
  return `{ device: "example-pi", contract: "1.0"${own} }`;
}

function mosquitto(call: Extract<Entry["call"], { kind: "mqtt" }>): string {
  const [host = "127.0.0.1", port = "1883"] = call.broker.split(":");
  const to = `-h ${host} -p ${port}`;
  // A wildcard takes a whole level.
  const concrete = call.topic.replaceAll(/[^/]*\{\w+\}[^/]*/g, "+");
  if (!call.sends) return `mosquitto_sub ${to} -v -t '${concrete}'`;
  const body = typeof call.body === "string" ? call.body : JSON.stringify(call.body);
  return `mosquitto_pub ${to} -q 1 -t '${call.topic.replace("{device}", "demo-pi").replace("{accessory}", "breath_light")}' -m '${body}'`;
}

function json(body: unknown, names: Names): string {
  return named(JSON.stringify(body), names);
}

function named(text: string, names: Names): string {
  return PLACEHOLDERS.reduce((made, [name, placeholder]) => made.replaceAll(placeholder, names[name]), text);
}
