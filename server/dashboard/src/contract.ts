// Generated from shared/contract by `make contract`; edit it there.

export const CONTRACT_VERSION = "1.0";

export const EVENTS = {
  SENSOR_DATA_PUB_PI: "sensor_data_pub_pi",
  SENSOR_DATA_PUB_CLIENT: "sensor_data_pub_client",
  SERVER_CLEAN_PUB: "server_clean_pub",
  ACCESSORY_STATUS_PUB_CLIENT: "accessory_status_pub_client",
  LED_STATUS_CHECK_PUB_SYSTEM: "LED_status_check_pub_system",
  LED_STATUS_PUB_PI: "LED_status_pub_pi",
  LED_OFF_PUBLISH_SERVER: "LED_off_publish_server",
  INFRARED_STATUS_CHECK_PUB_SYSTEM: "infrared_status_check_pub_system",
  INFRARED_STATUS_PUB_PI: "infrared_status_pub_pi",
  INFRARED_OFF_PUBLISH_SERVER: "infrared_off_publish_server",
  MODEL_TRAIN_PUB_PI: "model_train_pub_pi",
  MODEL_TRAIN_PUB_CLIENT: "model_train_pub_client",
  LED_ON_PUBLISH_SERVER: "LED_on_publish_server",
  INFRARED_ON_PUBLISH_SERVER: "infrared_on_publish_server",
  MODEL_TRAIN_PUBLISH_SERVER: "model_train_publish_server",
  CARE_PUBLISH_SERVER: "care_publish_server",
  CARE_PUB_PI: "care_pub_pi",
  MOTION_PUB_PI: "motion_pub_pi",
  MOTION_PUB_CLIENT: "motion_pub_client",
  DROP_PUB_PI: "drop_pub_pi",
  ACCESSORY_STATUS_CHECK_PUB_SYSTEM: "accessory_status_check_pub_system",
  ACCESSORY_ON_PUBLISH_SERVER: "accessory_on_publish_server",
  ACCESSORY_OFF_PUBLISH_SERVER: "accessory_off_publish_server",
  ACCESSORY_STATUS_PUB_PI: "accessory_status_pub_pi",
  COMMAND_APPLIED_PUB_PI: "command_applied_pub_pi",
  HEARTBEAT_PUB_PI: "heartbeat_pub_pi",
  DEVICE_STATUS_PUB_CLIENT: "device_status_pub_client",
  DEVICE_PROFILE_PUB_CLIENT: "device_profile_pub_client",
  DEVICE_REMOVED_PUB_CLIENT: "device_removed_pub_client",
  ALERT_PUB_CLIENT: "alert_pub_client",
  ALERT_REQUEST_CLIENT: "alert_request_client",
  SNAPSHOT_PUB_CLIENT: "snapshot_pub_client",
  REPLAY_REQUEST_CLIENT: "replay_request_client",
  TRAIN_REQUEST_CLIENT: "train_request_client",
  COMMAND_REQUEST_CLIENT: "command_request_client",
  COMMAND_RESULT_PUB_CLIENT: "command_result_pub_client",
  ERROR_PUB: "error_pub",
} as const;

export const DOOR_EVENTS = {
  ESP32_SENSOR_DATA: "esp32_sensor_data",
  DATA_RECEIVED: "data_received",
  NEW_SENSOR_DATA: "new_sensor_data",
  STRESS_ALERT: "stress_alert",
  CLIENT_STATS: "client_stats",
  FRONTEND_REQUEST_HISTORY: "frontend_request_history",
  HISTORY_DATA: "history_data",
  FRONTEND_SUBSCRIBE_ALERTS: "frontend_subscribe_alerts",
  ALERTS_SUBSCRIBED: "alerts_subscribed",
  PING: "ping",
  PONG: "pong",
  HEALTH_CHECK: "health_check",
  HEALTH_STATUS: "health_status",
  TEMPERATURE: "temperature",
  LOG_TELEMETRY: "log_telemetry",
  TELEMETRY_LOG: "telemetry_log",
  TELEMETRY_CHOOSE: "telemetry_choose",
  SENSORDATA: "sensorData",
  CONNECTIONINFO: "connectionInfo",
} as const;

export interface Quantity {
  title: string;
  unit: string;
  low: number;
  high: number;
  decimals: number;
}

export const QUANTITIES: Record<string, Quantity> = {
  "temperature": {"title": "Temperature", "unit": "°C", "low": -40, "high": 80, "decimals": 1},
  "humidity": {"title": "Humidity", "unit": "%RH", "low": 0, "high": 100, "decimals": 1},
  "PM1.0": {"title": "PM1.0", "unit": "µg/m³", "low": 0, "high": 1000, "decimals": 1},
  "PM2.5": {"title": "PM2.5", "unit": "µg/m³", "low": 0, "high": 1000, "decimals": 1},
  "PM10": {"title": "PM10", "unit": "µg/m³", "low": 0, "high": 1000, "decimals": 1},
  "cpu_temperature": {"title": "CPU temperature", "unit": "°C", "low": -40, "high": 125, "decimals": 1},
  "cpu_load": {"title": "CPU load, 1 min", "unit": "", "low": 0, "high": 10000, "decimals": 2},
  "memory_used": {"title": "Memory used", "unit": "%", "low": 0, "high": 100, "decimals": 1},
  "disk_used": {"title": "Disk used", "unit": "%", "low": 0, "high": 100, "decimals": 1},
  "uptime": {"title": "Uptime", "unit": "s", "low": 0, "high": 10000000000.0, "decimals": 0},
  "under_voltage": {"title": "Under-voltage now", "unit": "", "low": 0, "high": 1, "decimals": 0},
  "under_voltage_seen": {"title": "Under-voltage since boot", "unit": "", "low": 0, "high": 1, "decimals": 0},
  "throttled": {"title": "CPU throttled now", "unit": "", "low": 0, "high": 1, "decimals": 0},
  "throttled_seen": {"title": "CPU throttled since boot", "unit": "", "low": 0, "high": 1, "decimals": 0},
  "disk_written_per_day": {"title": "Written to the disk per day", "unit": "MB", "low": 0, "high": 1000000000.0, "decimals": 1},
  "disk_wear": {"title": "Disk life time used", "unit": "%", "low": 0, "high": 160, "decimals": 0},
  "heart_rate": {"title": "Heart rate", "unit": "1/min", "low": 0, "high": 300, "decimals": 1},
  "skin_temperature": {"title": "Skin temperature", "unit": "°C", "low": -40, "high": 125, "decimals": 2},
  "eda": {"title": "Electrodermal activity", "unit": "µS", "low": 0, "high": 1000, "decimals": 3},
  "stress": {"title": "Probability of stress", "unit": "", "low": 0, "high": 1, "decimals": 3},
  "aqi": {"title": "Air quality index", "unit": "", "low": 0, "high": 500, "decimals": 0},
  "eco2": {"title": "Equivalent CO₂", "unit": "ppm", "low": 0, "high": 100000, "decimals": 0},
  "tvoc": {"title": "Volatile organic compounds", "unit": "ppb", "low": 0, "high": 100000, "decimals": 0},
  "coPpm": {"title": "Carbon monoxide", "unit": "ppm", "low": 0, "high": 1000000.0, "decimals": 2},
  "ch4Ppm": {"title": "Methane", "unit": "ppm", "low": 0, "high": 1000000.0, "decimals": 2},
  "lpgPpm": {"title": "Liquefied petroleum gas", "unit": "ppm", "low": 0, "high": 1000000.0, "decimals": 2},
  "co2": {"title": "Carbon dioxide", "unit": "ppm", "low": 0, "high": 1000000.0, "decimals": 2},
  "alcohol": {"title": "Alcohol", "unit": "ppm", "low": 0, "high": 1000000.0, "decimals": 2},
  "toluene": {"title": "Toluene", "unit": "ppm", "low": 0, "high": 1000000.0, "decimals": 2},
  "acetone": {"title": "Acetone", "unit": "ppm", "low": 0, "high": 1000000.0, "decimals": 2},
  "flameDetected": {"title": "Flame detected", "unit": "", "low": 0, "high": 1, "decimals": 0},
  "flameIntensity": {"title": "Flame intensity", "unit": "", "low": 0, "high": 1000000.0, "decimals": 0},
  "disk_end_of_life": {"title": "Disk near its end: 0 no, 1 soon, 2 now", "unit": "", "low": 0, "high": 15, "decimals": 0},
};

/** What *clean* leaves alone. */
export const SENSOR_ACCESSORIES: readonly string[] = ["infrared_sensor"];

/** Which program a device runs, on what. */
export interface About {
  version: string;
  python: string;
  os: string;
  machine: string;
  model: string;
}

/** Why a device is offline. */
export type Absence = "connection_lost" | "ended" | "heartbeat_missed" | "relay_restarted";

/** What a device says of one of its accessories when it connects. */
export interface AccessoryInfo {
  accessory: string;
  pin?: number | null;
  mode?: string;
  sensor?: boolean;
  kind?: string | null;
  title?: string | null;
  safe?: SafeState | null;
}

/** The state of one accessory of one device: what was asked, what it reported, and how fresh that is. `status` is what the device last reported, after reading the pin back. */
export interface AccessoryState {
  device?: string | null;
  stream?: string | null;
  taken_at?: string | null;
  clock?: ClockStamp | null;
  status: boolean;
  method?: string | null;
  accessory: string;
  id?: number | null;
  level?: number | null;
  light?: LightOptions | null;
  lease_left_s?: number | null;
  command?: string | null;
  cause?: Cause | null;
  fault?: Fault | null;
  datatime: string;
  desired?: boolean | null;
  link?: boolean | null;
  by?: string | null;
  since?: string | null;
  reported_at?: string | null;
  cursor?: number | null;
  replayed?: boolean;
}

/** What one accessory is, read back from its pin. For the infrared sensor, `status` means *watching*, not motion. */
export interface AccessoryStatus {
  device?: string | null;
  stream?: string | null;
  taken_at?: string | null;
  clock?: ClockStamp | null;
  status: boolean;
  method?: string | null;
  accessory?: string | null;
  id?: number | null;
  level?: number | null;
  light?: LightOptions | null;
  lease_left_s?: number | null;
  command?: string | null;
  cause?: Cause | null;
  fault?: Fault | null;
}

/** The one shape of every ack. */
export interface Ack {
  ok: boolean;
  code: Code;
  message?: string | null;
  retry?: boolean | null;
  id?: number | null;
  command?: string | null;
  devices?: Array<string> | null;
  cursor?: number | null;
  relay_ms?: number | null;
}

/** What a command asks of a device. */
export type Action = "check" | "clean" | "off" | "on";

/** What a rule found, at one device or (null) at the site. */
export interface Alert {
  alert: string;
  rule: string;
  device?: string | null;
  severity: Severity;
  state: AlertState;
  opened_at: string;
  message: string;
  quantity?: string | null;
  value?: number | null;
  acknowledged_at?: string | null;
  acknowledged_by?: string | null;
  closed_at?: string | null;
  closed_by?: string | null;
  closed_because?: string | null;
  cursor?: number | null;
}

/** Say of an alert that it was seen, or that it is done with. */
export interface AlertRequest {
  alert: string;
  state: "acknowledged" | "closed";
}

/** Where an alert stands. */
export type AlertState = "acknowledged" | "closed" | "open";

/** What a relay may ask of the agent itself. */
export type CareAction = "change" | "diagnostics" | "log_level" | "restart" | "settings";

/** What came of a `CareRequest`. */
export interface CareReport {
  request: string;
  ok: boolean;
  code: Code;
  message?: string;
  text?: string;
}

/** Ask something of the agent itself. Acked when it is queued; the answer is a `CareReport`. */
export interface CareRequest {
  request: string;
  action: CareAction;
  change?: Record<string, unknown> | null;
  level?: "debug" | "error" | "info" | "warning" | null;
}

/** Why a state is what it is. */
export type Cause = "clean" | "lease" | "local_fault" | "restart" | "rule" | "user";

/** Ask an accessory to report its status. */
export interface CheckCommand {
  command?: string | null;
  ledger?: string | null;
  seq?: number | null;
  ttl_s?: number | null;
  expires_ms?: number | null;
  cause?: Cause | null;
  action: string;
  accessory?: string | null;
}

/** Turn off everything but the sensors. */
export interface CleanCommand {
  command?: string | null;
  ledger?: string | null;
  seq?: number | null;
  ttl_s?: number | null;
  expires_ms?: number | null;
  cause?: Cause | null;
  action: string;
}

/** The Socket.IO `auth` object of a page or program. */
export interface ClientHello {
  token?: string | null;
  since?: number | null;
}

/** A training job's news, for pages. `status` is true from the start of training to its end. */
export interface ClientModelTrain {
  device?: string | null;
  stream?: string | null;
  taken_at?: string | null;
  clock?: ClockStamp | null;
  status: boolean;
  id?: number | null;
  job?: string | null;
  phase?: TrainingPhase | null;
  reason?: string | null;
  progress?: number | null;
  samples?: number | null;
  duration_s?: number | null;
  metrics?: Record<string, number>;
  trigger?: TrainingTrigger | null;
  command?: string | null;
  model_version?: number | null;
  days?: number | null;
  peak_rss_bytes?: number | null;
  horizons?: Array<HorizonResult>;
  plot?: Array<TrainingPlot>;
  datatime: string;
  accessory: string;
  cursor?: number | null;
  replayed?: boolean;
}

/** The agent's body, passed through. */
export interface ClientMotion {
  device?: string | null;
  stream?: string | null;
  taken_at?: string | null;
  clock?: ClockStamp | null;
  id: number;
  motion: boolean;
  count?: number;
  cursor?: number | null;
  replayed?: boolean;
}

/** The agent's body, passed through, with the relay's cursor. */
export interface ClientSensorData {
  device?: string | null;
  stream?: string | null;
  taken_at?: string | null;
  clock?: ClockStamp | null;
  id: number;
  datetime: string;
  fail: Array<string>;
  data: Record<string, number | null>;
  quality?: Record<string, Quality>;
  calibration?: Record<string, number>;
  insight?: Insight | null;
  cursor?: number | null;
  replayed?: boolean;
}

/** Who is connected to the stress monitor. */
export interface ClientStats {
  total_clients: number;
  esp32_clients: number;
  frontend_clients: number;
  subscribers: number;
}

/** How far to trust the wall time of a sample. */
export interface ClockStamp {
  boot_id: string;
  monotonic_ns: number;
  synchronised: boolean;
  redated?: boolean;
}

/** Every code an ack, an `error_pub`, a command result or an HTTP answer may carry. */
export type Code = "accepted" | "binary_refused" | "busy" | "conflict" | "device_offline" | "duplicate" | "expired" | "forbidden" | "hardware_fault" | "host_refused" | "internal" | "interrupted" | "invalid_payload" | "invalid_setting" | "malformed" | "method_not_allowed" | "missed" | "no_answer" | "not_found" | "origin_refused" | "queue_full" | "queued" | "rate_limited" | "readback_differs" | "replaced" | "replay_incomplete" | "retired" | "slow_consumer" | "stored" | "superseded" | "too_large" | "unauthenticated" | "unavailable" | "unknown_accessory" | "unknown_alert" | "unknown_command" | "unknown_device" | "unknown_event" | "unknown_group" | "unknown_quantity" | "unknown_rule" | "verified";

/** A command has driven its pin. What the pin reads back follows, in a status. */
export interface CommandApplied {
  command: string;
  accessory: string;
}

/** Ask for one action at one device, at all with a tag, or at all there are. */
export interface CommandRequest {
  action: Action;
  accessory?: string | null;
  device?: string | null;
  tag?: string | null;
  all?: true | null;
  ttl_s?: number | null;
  lease_s?: number | null;
  light?: LightOptions | null;
  queue?: boolean;
}

/** Where a command stands at one device. */
export interface CommandResult {
  command: string;
  device: string;
  action: Action;
  state: CommandState;
  code: Code;
  at: string;
  accessory?: string | null;
  message?: string;
  status?: boolean | null;
  elapsed_ms?: number | null;
  by?: string | null;
  seq?: number | null;
  expires_at?: string | null;
}

/** Where a command stands at one device. The last five are final. */
export type CommandState = "accepted" | "applied" | "expired" | "failed" | "queued" | "refused" | "sent" | "superseded" | "verified";

/** To a page that connects. */
export interface ConnectionInfo {
  clientId: string;
  totalClients: number;
}

/** The answer to a reading. */
export interface DataReceived {
  status: "error" | "success";
  record_id?: number | null;
  stress_prediction?: StressPrediction | null;
  code?: Code | null;
  message?: string | null;
}

/** What a device has last made of its readings, put together from its rounds. */
export interface DeviceInsight {
  scores?: Record<string, number>;
  findings?: Array<KnownFinding>;
  forecast?: Array<Forecast>;
  forecast_at?: string | null;
  model?: number | null;
}

/** A device as people know it. */
export interface DeviceProfile {
  device: string;
  title?: string | null;
  place?: string | null;
  tags?: Array<string>;
  time_zone?: string | null;
  calibration?: Record<string, number>;
  retired?: boolean;
}

/** A device was deleted, or its history went to another one. */
export interface DeviceRemoved {
  device: string;
  into?: string | null;
}

/** All that the relay knows of one device now. */
export interface DeviceSnapshot {
  device: string;
  online: boolean;
  since: string;
  sample_interval_s?: number | null;
  status_interval_s?: number | null;
  simulated?: boolean;
  tags?: Array<string>;
  readings?: Record<string, LastReading>;
  accessories?: Array<AccessoryState>;
  motion?: ClientMotion | null;
  training?: ClientModelTrain | null;
  insight?: DeviceInsight | null;
  about?: About | null;
  reason?: Absence | null;
  flapping?: boolean;
  profile?: DeviceProfile | null;
  infos?: Array<AccessoryInfo>;
  commands?: Array<CommandResult>;
}

/** A device came or went. */
export interface DeviceStatus {
  device: string;
  online: boolean;
  since: string;
  reason?: Absence | null;
  flapping?: boolean;
  cursor?: number | null;
}

/** Why an agent gave events up. */
export type DropReason = "age" | "corrupt" | "disk_full" | "overflow" | "oversize" | "refused";

/** Events that the agent gave up on purpose, or lost and knows it: what a gap in a stream's ids means. */
export interface Dropped {
  device?: string | null;
  stream?: string | null;
  taken_at?: string | null;
  clock?: ClockStamp | null;
  id: number;
  reason: DropReason;
  count: number;
  first_id?: number | null;
  last_id?: number | null;
  of_stream?: string | null;
  message?: string;
}

/** An event that says all by its name. It may come without a body. */
export interface Empty {
}

/** A refusal that nobody asked an ack for; or, with `missed`, what was left out. */
export interface ErrorBody {
  code: Code;
  message: string;
  event?: string;
  retry?: boolean;
  missed?: number | null;
  since?: number | null;
}

/** What went wrong, as a stable code and in words. */
export interface Fault {
  code: Code;
  message?: string;
}

/** Something began to be unusual, or ended. A spike has no end. */
export interface Finding {
  kind: FindingKind;
  active: boolean;
  severity: Severity;
  quantity: string;
  cause: string;
}

/** What an agent notices by itself in what it measures. */
export type FindingKind = "drift" | "offset" | "open_window" | "silent" | "spike" | "stuck" | "unusual_motion";

/** One quantity some minutes after the round, and the band in which nine of ten values come to lie. */
export interface Forecast {
  quantity: string;
  minutes: number;
  value: number;
  low: number;
  high: number;
}

/** How the relay is. */
export interface HealthStatus {
  status: "degraded" | "healthy";
  timestamp: string;
  model?: string | null;
  clients?: number;
}

/** The agent is alive. Its ack tells the relay's time, in which commands end. */
export interface Heartbeat {
  interval_s: number;
  boot_id?: string | null;
  monotonic_ns?: number | null;
  ending?: boolean;
}

/** What a new model is worth for one quantity, on two days that it had not seen. Errors in the quantity's unit. */
export interface HorizonResult {
  quantity: string;
  minutes: number;
  mae: number;
  mae_persistence: number;
  gate: number;
}

/** What the agent makes of its readings. Of a kind that is missing there is nothing new to say. */
export interface Insight {
  scores?: Record<string, number>;
  findings?: Array<Finding>;
  forecast?: Array<Forecast>;
  model?: number | null;
}

/** A finding that has not ended, as the relay keeps it. */
export interface KnownFinding {
  kind: FindingKind;
  active: boolean;
  severity: Severity;
  quantity: string;
  cause: string;
  at: string;
}

/** The newest value of one quantity. */
export interface LastReading {
  value: number | null;
  unit?: string;
  taken_at: string;
  quality?: Quality | null;
  stale_after_s?: number | null;
  value_at?: string | null;
}

/** How a breathing light breathes; null: as its settings say. */
export interface LightOptions {
  level?: number | null;
  period_s?: number | null;
  gamma?: number | null;
}

/** The temperature now. */
export interface LiveTemperature {
  data: string;
  unit?: string;
  taken_at?: string | null;
  device?: string | null;
  simulated?: boolean;
}

/** A training job's news. `status` is true while it trains: false is sent on success and on failure alike. */
export interface ModelTrain {
  device?: string | null;
  stream?: string | null;
  taken_at?: string | null;
  clock?: ClockStamp | null;
  status: boolean;
  id?: number | null;
  job?: string | null;
  phase?: TrainingPhase | null;
  reason?: string | null;
  progress?: number | null;
  samples?: number | null;
  duration_s?: number | null;
  metrics?: Record<string, number>;
  trigger?: TrainingTrigger | null;
  command?: string | null;
  model_version?: number | null;
  days?: number | null;
  peak_rss_bytes?: number | null;
  horizons?: Array<HorizonResult>;
  plot?: Array<TrainingPlot>;
}

/** The infrared sensor saw somebody move, or the movement ended. */
export interface Motion {
  device?: string | null;
  stream?: string | null;
  taken_at?: string | null;
  clock?: ClockStamp | null;
  id: number;
  motion: boolean;
  count?: number;
}

/** What came in over MQTT from one device, as pages see it. */
export interface MqttSensorData {
  timestamp: string;
  data: Record<string, unknown>;
  device?: string | null;
}

/** The Socket.IO `auth` object of an agent. An original agent sends none. */
export interface PiHello {
  token?: string | null;
  device?: string | null;
  version?: string | null;
  contract?: string | null;
  boot_id?: string | null;
  run?: string | null;
  stream?: string | null;
  sample_interval_s?: number | null;
  status_interval_s?: number | null;
  heartbeat_interval_s?: number | null;
  ledger?: string | null;
  seq?: number | null;
  about?: About | null;
  simulated?: boolean;
  door?: string | null;
  accessories?: Array<AccessoryInfo>;
}

/** The answer to a ping. */
export interface Pong {
  timestamp: string;
}

/** The state of one quantity, and why. */
export interface Quality {
  state: QualityState;
  reason?: string;
}

/** How far a quantity can be trusted. */
export type QualityState = "degraded" | "failed" | "good";

/** Ask for every reading, change and motion after a cursor. */
export interface ReplayRequest {
  since: number;
}

/** What becomes of an accessory when nobody answers for it any more. */
export type SafeState = "keep" | "off" | "on";

/** One sampling round of every sensor on a Pi. A sensor that failed is named in `fail`; its values are null. */
export interface SensorData {
  device?: string | null;
  stream?: string | null;
  taken_at?: string | null;
  clock?: ClockStamp | null;
  id: number;
  datetime: string;
  fail: Array<string>;
  data: Record<string, number | null>;
  quality?: Record<string, Quality>;
  calibration?: Record<string, number>;
  insight?: Insight | null;
}

/** How urgent an alert is. */
export type Severity = "critical" | "info" | "warning";

/** What a page that joins needs to be right at once. */
export interface Snapshot {
  at: string;
  role: string;
  cursor: number;
  devices: Array<DeviceSnapshot>;
  contract: string;
  demo?: boolean;
  alerts?: Array<Alert>;
}

/** Stress that lasted, to those who subscribed. */
export interface StressAlert {
  type: string;
  level: string;
  confidence: number;
  message: string;
  sensor_data: StressSample;
}

/** Stored readings. */
export interface StressHistory {
  data: Array<StressSample>;
}

/** Ask for stored readings, newest first. */
export interface StressHistoryRequest {
  limit?: number;
  start_date?: string | null;
  end_date?: string | null;
  device_id?: string | null;
}

/** What the model makes of the last minute. */
export interface StressPrediction {
  label: string;
  confidence: number;
  reason?: string;
}

/** What an ESP32 measured: heart rate, skin temperature, electrodermal activity. */
export interface StressReading {
  hr: number;
  temp: number;
  eda: number;
  timestamp?: number | string | null;
  device_id?: string | null;
  stream?: string | null;
  id?: number | null;
}

/** A stored reading with its prediction, as pages see it. */
export interface StressSample {
  id: number;
  timestamp: string;
  hr: number;
  temp: number;
  eda: number;
  stress_level: string;
  confidence: number;
  device_id: string;
  reason?: string;
}

/** The answer to a subscription. */
export interface Subscribed {
  status: "subscribed";
}

/** Turn one accessory off or on. */
export interface SwitchCommand {
  command?: string | null;
  ledger?: string | null;
  seq?: number | null;
  ttl_s?: number | null;
  expires_ms?: number | null;
  cause?: Cause | null;
  pin: number | null;
  mode: string;
  code: number;
  accessory: string;
  status: boolean;
  type: string;
  msg: string;
  lease_s?: number | null;
  light?: LightOptions | null;
}

/** Which sources a logger wants; none: all. */
export interface TelemetryChoice {
  sources?: Array<string>;
}

/** One packet of a producer. It is passed on as it is; these are the fields that the relay looks at. */
export interface TelemetryPacket {
  source?: string | null;
  time?: string | null;
  seq?: number | null;
  values?: Record<string, number | null> | null;
}

/** Train the forecaster now. */
export interface TrainCommand {
  command?: string | null;
}

/** Have a device train its forecaster now. */
export interface TrainRequest {
  device: string;
}

/** Where a training job stands. */
export type TrainingPhase = "failed" | "finished" | "progress" | "skipped" | "started";

/** Truth and forecast of one quantity for the same moments, one hour ahead. */
export interface TrainingPlot {
  quantity: string;
  at_ms: Array<number>;
  truth: Array<number>;
  forecast: Array<number>;
}

/** Who asked for a training job. */
export type TrainingTrigger = "command" | "schedule";
