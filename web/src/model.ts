// The view models, as the server sends them: internal/flow, internal/report, internal/console. What is not known is null.

export interface About {
  kind: "stack" | "audit";
  stack: string;
  region: string;
  local: boolean;
  write: boolean;
  readOnlyReason?: string;
  views: string[];
  maxRecords?: number;
}

export type Tone = "good" | "wrong" | "open";
export type Severity = "wrong" | "open" | "note";
export type PartID = "producer" | "stream" | "analytics" | "delivery" | "bucket" | "proof";
export type Verdict = "PROVEN" | "NOT PROVEN" | "UNDECIDED";

export interface Counts {
  owed: number;
  delivered: number;
  rejects: number;
  recovered: number;
  missing: number;
  failed: number;
  duplicated: number;
  corrupt: number;
  leaked: number;
  unexpected: number;
  inFlight: number;
  unknown: number;
  late: number;
  foreign: number;
  undecided?: number;
}

export interface Step {
  class: string;
  count: number;
  text: string;
  commands?: string[];
  see?: string;
}

export interface Problem {
  id: string;
  severity: Severity;
  part: PartID;
  text: string;
  commands?: string[];
  see?: string;
}

export type ArrowID = "produced" | "read" | "rows" | "delivered";

export interface Arrow {
  id: ArrowID;
  from: PartID;
  to: PartID;
  recordsPerSecond: number | null;
  bytesPerSecond: number | null;
  source: string;
}

export interface Shard {
  shard: string;
  recordsPerSecond: number | null;
  bytesPerSecond: number | null;
  records: number | null;
}

export interface Flow {
  at: string;
  connected: boolean;
  error?: string;
  stack: string;
  region: string;
  state: string;
  local: boolean;
  audits?: string;
  everySeconds: number;
  rateSeconds: number;
  tone: Tone;
  sentence: string;
  verdict: {
    verdict: Verdict;
    judgedAt: string;
    sentence: string;
    lastLine: string;
    key?: string;
    counts: Counts;
    reasons?: string[] | null;
    next: Step[] | null;
  } | null;
  problems: Problem[];
  arrows: Arrow[];
  producer: {
    function: string;
    schedule: string;
    expression: string;
    scheduleState: string;
    partitionKey: string;
    ticks: number;
    since: string;
    lastTick: { tick: string; state: string; records: number } | null;
  } | null;
  stream: { name: string; status: string; limitRecordsPerSecond: number; limitBytesPerSecond: number; shards: Shard[] | null };
  analytics: {
    application: string;
    status: string;
    version: number;
    job?: string;
    restarts: number | null;
    uptimeSeconds: number | null;
    lagSeconds: number | null;
    checkpointAgeSeconds: number | null;
    checkpointSeconds: number | null;
    failedCheckpoints: number | null;
    page?: string;
    lastError?: string;
    lastErrorAt?: string | null;
    pipeline?: string;
    by?: string;
    since?: string;
  } | null;
  delivery: {
    deliveryStream: string;
    oldestSeconds: number | null;
    /** What a local stack's buffers hold; null on AWS, where Firehose does not say it. */
    waiting: { records: number; bytes: number; part: number } | null;
    success: number | null;
    bufferSizeMB: string;
    bufferIntervalSeconds: string;
    compression: string;
    transform: string;
    outputFormat: string;
    deadlineSeconds: number;
    failedPrefix: string;
    rejectsPrefix: string;
    throttledRecordsPerSecond: number | null;
  } | null;
  bucket: {
    bucket: string;
    prefix: string;
    since?: string;
    objects: number | null;
    bytes: number | null;
    errors: { prefix: string; objects: number; bytes: number }[] | null;
  };
}

export interface Sample {
  row: string;
  count: number;
  tick?: string;
  object?: string;
  line?: number;
  reason?: string;
}

export interface Finding {
  class: string;
  row: string;
  count: number;
  tick: string;
  hop: string;
  text: string;
  candidates: number;
  records?: {
    index: number;
    partitionKey: string;
    outcome?: string;
    places?: { shard: string; sequenceNumber: string; arrival?: string }[];
  }[];
  object?: string;
  line?: number;
  reason?: string;
}

export interface Tick {
  tick: string;
  state: string;
  records: number;
  owed: number;
  delivered: number;
  rejects: number;
  failed: number;
  missing: number;
  inFlight: number;
  late: number;
}

export interface Epoch {
  pipelines: string[];
  from?: string;
  until?: string;
  clean: boolean;
  notJudged?: string;
  rolledBack?: boolean;
  current?: boolean;
  first?: string;
  last?: string;
  ticks: number;
  records: number;
  counts?: Counts;
}

export interface Report {
  verdict: Verdict;
  reasons?: string[];
  notes?: string[];
  judgedAt: string;
  bucket: string;
  prefix: string;
  key?: string;
  covers: {
    from?: string;
    to?: string;
    ticks: number;
    ticksUnsettled: number;
    ticksCrashed: number;
    records: number;
    objects: number;
    rows: number;
    bytes: number;
    errorObjects: number;
    pipelines?: string[];
    deliveryDeadlineSeconds: number;
    archivedUntil?: string;
  };
  partial?: boolean;
  counts: Counts;
  samples?: Record<string, Sample[]>;
  lastSeen?: Finding[];
  rejects?: { prefix: string; reason: string; count: number }[];
  ticks?: Tick[];
  delay?: { rows: number; p50: number; p95: number; max: number; histogram?: { seconds: number; rows: number }[]; lateMax: number };
  shards?: Record<string, number>;
  accepted?: {
    class: string;
    count: number;
    until: string;
    reason: string;
    who: string;
    at: string;
    used: number;
    usedUp?: number;
  }[];
  epochs?: Epoch[];
  audit?: unknown;
}

export interface Line {
  name: string;
  count: number;
  meaning: string;
  fails: boolean;
}

export interface Judged {
  report: Report | null;
  summary?: { tone: Tone; sign: string; sentence: string; next: Step[] | null; balance: Line[]; besides: Line[] } | null;
}

export interface OperationStep {
  name: string;
  progress?: string;
  notes?: string[];
  state: "running" | "done" | "failed";
  error?: string;
  seconds: number;
}

export interface Operation {
  id: string;
  kind: string;
  state: "running" | "done" | "failed";
  begun: string;
  ended?: string;
  steps: OperationStep[];
  error?: string;
  hasResult: boolean;
  result?: unknown;
}

export interface Operations {
  operations: Operation[];
}

export interface TailRecord {
  shard: string;
  sequenceNumber: string;
  partitionKey: string;
  arrival: string;
  bytes: number;
  data: string;
  /** By the columns of the schema; null without a schema. */
  rows: (string | null)[][] | null;
  problems?: string[];
  aggregate?: number;
}

export interface HotKey {
  key: string;
  shard: string;
  records: number;
  bytes: number;
  share: number;
}

export interface Tail {
  records: TailRecord[];
  read: number;
  dropped: number;
  seconds: number;
  skipped: boolean;
  hotKeys: HotKey[] | null;
}

export interface Query {
  sql: string;
  flink?: string;
  pipeline?: string;
  since?: string;
  by?: string;
  judged?: boolean;
  notJudged?: string;
  problem?: string;
  columns?: { name: string; alias?: string; type: string }[];
  source?: string;
  functions?: string[];
}

export interface Fault {
  line: number;
  column: number;
  message: string;
  /** The line of the translation in which Flink found it. */
  translated?: string;
  by: "parser" | "flink";
}

export interface Check {
  dialect: "flink" | "legacy";
  flink: string;
  faults: Fault[] | null;
  warnings: Fault[] | null;
  judged: boolean;
  notJudged?: string;
  planned: boolean;
}

export interface Version {
  pipeline: string;
  from: string;
  until?: string;
  current?: boolean;
  rolledBack?: boolean;
  why?: string;
  sql: string;
}

export interface Listing {
  bucket: string;
  prefix: string;
  folders: string[];
  objects: { key: string; bytes: number; modified: string }[];
  /** The key to list the next ones after. */
  after?: string;
}

export interface ObjectLine {
  number: number;
  text: string;
  values?: (string | null)[];
  problem?: string;
  envelope?: { reason: string; column?: string; shard?: string; sequenceNumber?: string; data: string };
}

export interface Contents {
  key: string;
  bytes: number;
  compressed: boolean;
  columns?: string[];
  lines: ObjectLine[];
  truncated: boolean;
  problem?: string;
}

/** What a repair has done, or would do: operate.RepairResult. */
export interface RepairResult {
  written: boolean;
  /** The number of a repair that was left open. */
  unfinished?: number;
  writes?: { key: string; bytes: number; lines: number; missing?: number; failed?: number }[];
  rows?: Record<string, number>;
  stillCome?: number;
  stillComeUntil?: string;
  objects?: { key: string; size: number; removed: Record<string, number> }[];
  removed?: Record<string, number>;
  left?: { class: string; count: number; why: string }[];
  changed?: string[];
  before?: Report;
  after?: Report;
}

/** A schema, as schema.json has it. */
export interface SchemaFile {
  source: string;
  format?: { type: "csv" | "json"; header?: boolean } & Record<string, unknown>;
  samples?: string;
  columns: SchemaColumn[];
}

export interface SchemaColumn {
  name: string;
  alias: string;
  path?: string;
  unnamed?: boolean;
  type: string;
  pattern?: string;
  nullable?: boolean;
  fake?: unknown;
}

/** What a draft begins with. */
export interface ShownSchema {
  schema: SchemaFile;
  /** Where a draft is saved; empty without a project, and then there is a problem. */
  file?: string;
  /** Whether the console was started in a project. */
  project: boolean;
  problem?: string;
  text: string;
  running: string;
  sql: string;
  runningSQL: string;
  deploy: string[];
  /** The source of the last sample. */
  sample?: string;
}

/** What can be said of a draft. */
export interface CheckedSchema {
  /** The hash of the pipeline that it replaces. */
  base: string;
  faults: { column: number; message: string }[];
  refused: string[];
  notes: string[];
  text: string;
  was: string;
  reading?: Reading;
  effect?: Effect;
}

/** What a schema makes of the sample. */
export interface Reading {
  source: string;
  records: number;
  read: number;
  rejected: number;
  rows: (string | null)[][];
  columns: number[];
  problems: { where: string; column?: string; reason: string; text: string }[];
}

/** What a schema does to the query. */
export interface Effect extends Check {
  sql: string;
  wasSQL: string;
  before: Output[] | null;
  after: Output[] | null;
  renames: boolean;
}

export interface Output {
  name: string;
  alias: string;
  type: string;
}

/** What `streamproof discover --json` says, as far as the page shows it. */
export interface Discovered {
  source: string;
  sample: { records: number; rows: number };
  columns: Evidence[];
  faults?: { reason: string; count: number; where: string; text: string }[];
  notes?: string[];
  merge?: { changed: boolean; changes: string[]; warnings: string[] };
  schema: SchemaFile;
}

/** What a sample says of a column. */
export interface Evidence {
  type: string;
  pattern?: string;
  values: number;
  nulls: number;
  agree: number;
  examples: string[];
  notes?: string[];
}

/** What was saved. */
export interface SavedSchema {
  file: string;
  queryFile?: string;
  was: string;
  deploy: string[];
}
