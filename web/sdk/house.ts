// SPDX-License-Identifier: Apache-2.0
// What the house tells of itself: scripts, flows, letters nobody could place,
// messages on their way to platforms, traces, channels. Types only.
import type { Message } from './types.ts';

export interface CanarySide {
  conversations: number;
  calls: number;
  errors: number;
  kills: number;
  us: number;
  handovers: number;
}

export interface Canary {
  version: string;
  share: number;
  since_at: number;
  /** How many it meets before the house compares. */
  conversations: number;
  stable: CanarySide;
  canary: CanarySide;
}

export interface ScriptLimits {
  cpu_ms: number;
  wall_ms: number;
  memory_bytes: number;
  http: number;
  effects: number;
}

export interface ScriptVersion {
  script: string;
  version: string;
  state: string;
  since_at: number | null;
  until_at: number | null;
  note: string;
  /** Of one version only. */
  sources?: { name: string; text: string }[];
}

export type FlowState = 'ready' | 'sleeping' | 'waiting' | 'done' | 'failed' | 'cancelled';

export interface SagaStep {
  name: string;
  state: string;
  attempts: number;
  error?: string;
}

export interface FlowLog {
  /** start, reply, sleep, step, saga, undo … */
  k: string;
  n: string;
  /** Tries before it worked or was given up. */
  t?: number;
  at?: number;
  /** Not yet over: it goes on then. */
  due?: number;
  v?: unknown[];
}

export interface Flow {
  id: string;
  script: string;
  version: string;
  conversation: string | null;
  contact: string | null;
  state: FlowState;
  due_at: number | null;
  step: number;
  attempts: number;
  error: string | null;
  args?: unknown;
  view?: { waits?: string; step?: string; state?: string; saga?: { name: string; state: string; steps: SagaStep[] } };
  log?: FlowLog[];
  created_at: number;
  updated_at: number;
}

export interface DeadLetter {
  id: string;
  created_at: number;
  conversation: string | null;
  message: string | null;
  hook: string;
  script: string | null;
  reason: string;
  data?: { name?: string; flow?: string; data?: unknown };
  runs: number;
}

export interface OutboxRow {
  id: string;
  message: string;
  conversation: string;
  channel: string;
  contact: string;
  seq: number;
  state: 'waiting' | 'sent' | 'dead';
  attempts: number;
  to: string;
  reason: string;
  due_at: number;
  created_at: number;
  updated_at: number;
}

export interface Hop {
  unit?: string;
  version?: string;
  hook?: string;
  at?: number;
  us?: number;
  wall_us?: number;
  outcome?: string;
  error?: string;
  /** In place of all else: so many are not told. */
  more?: number;
}

export interface TraceEffect {
  type: string;
  unit?: string;
  text?: string;
  name?: string;
  data?: unknown;
  agent?: string;
  team?: string;
  pick?: string;
  number?: number;
  refused?: string;
}

export interface TraceJob {
  hook: string;
  what?: string;
  at: number;
  took_ms: number;
  late?: boolean;
  default?: boolean;
  decided_by?: string;
  /** The assistant whose kept answer was given at once. */
  kept_by?: string;
  letter?: string;
  trouble?: string;
  hops?: Hop[];
  effects?: TraceEffect[];
  cut?: boolean;
}

export interface Trace {
  conversation: string;
  state: string;
  message: Message;
  jobs: TraceJob[];
  caused: { event: string; at: number; data: Record<string, unknown> }[];
  cut: boolean;
  delivery: { to: string; holder: string | null; read: boolean; sockets: number | null; why_not: string | null };
}

/** A text in each language, or one for all. */
export type Said = string | { zh?: string; en?: string } | null | undefined;

export interface SchemaField {
  type: 'string' | 'secret' | 'integer' | 'number' | 'boolean' | 'choice';
  required?: boolean;
  title?: Said;
  help?: Said;
  choices?: string[];
}

/** A type that can be set up: of a channel, of an assistant. */
export interface TypeRow {
  type: string;
  title?: Said;
  schema: Record<string, SchemaField | SchemaField['type']>;
}

export interface ChannelType extends TypeRow {
  state: 'active' | 'pending';
  socket?: boolean; // visitors come by it: they have a secret for identities
}

export type Breaker = 'closed' | 'open' | 'half-open';

export interface ChannelRow {
  id: string;
  type: string;
  name: string;
  config: Record<string, unknown>;
  enabled: boolean;
  state: 'active' | 'disabled' | 'pending';
  webhook_url: string | null;
  kinds?: string[];
  breaker?: Breaker;
  /** Messages to be sent, and since when the oldest waits. */
  waiting?: number;
  oldest_waiting_at?: number | null;
  /** Since the server's start. */
  last_in_at?: number | null;
  last_out_at?: number | null;
  last_error?: { code: string; text: string; at: number } | null;
  /** Webhooks its adapter refused, strangers' among them; of the last one. */
  rejected?: { code: string; text: string; at: number; count: number } | null;
  /** Signs identities; only in the answer that makes it. */
  secret?: string;
  created_at: number;
  updated_at: number;
}

export interface Checked {
  ok: boolean;
  code?: string;
  why?: string;
}

export interface Spent {
  input: number;
  output: number;
  /** Of input: what the provider had kept. */
  cached: number;
  cost: number;
  currency?: string;
  turns: number;
}

/** A tool that waits for a person's word. */
export interface Confirmation {
  id: string;
  conversation: string;
  state: 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled' | 'done';
  by: 'visitor' | 'agent';
  decided_by: string | null;
  assistant: string;
  tool: string;
  call: { name?: string; arguments?: Record<string, unknown> };
  /** Goes back with the word: of what was seen. */
  hash: string;
  question: string;
  result: string;
  expires_at: number;
}

export interface AssistantRow {
  id: string;
  name: string;
  type: string;
  config: Record<string, unknown>;
  enabled: boolean;
  state: 'active' | 'disabled' | 'pending';
  fallback?: string[];
  prompt?: string;
  limits?: Record<string, unknown>;
  timeout?: Record<string, unknown>;
  price?: Record<string, unknown>;
  cache?: { ttl?: string; tags?: string[] };
  tools?: string[];
  guard?: boolean;
  summary?: boolean;
  /** Tool -> whose word it needs. */
  confirm?: Record<string, 'visitor' | 'agent'>;
  breaker?: Breaker;
  under_way?: number;
  waiting?: number;
  trouble?: string;
  today?: Spent;
  /** Since the start: answers that were given again. */
  kept?: { hits: number; misses: number };
  created_at: number;
  updated_at: number;
}
