// SPDX-License-Identifier: Apache-2.0
// The contract's words as types: frames of `/ws`, events, and REST objects.

import type { Canary, ScriptLimits } from './house.ts';

export type Role = 'visitor' | 'agent' | 'bot' | 'system';
export type AgentStatus = 'online' | 'busy' | 'away' | 'offline';
export type ConvState = 'bot' | 'queued' | 'open' | 'snoozed' | 'closed';
export type MessageKind = 'text' | 'image' | 'file' | 'audio' | 'video' | 'location' | 'card' | 'event';

export interface Who {
  role: Role;
  /** Bots and the system may have none. */
  id: string;
  name?: string | null;
}

export interface FileInfo {
  id: string;
  name?: string;
  mime?: string;
  size?: number;
  /** Of pictures, upright. */
  width?: number;
  height?: number;
  thumb?: boolean;
  /** A script named one that is not there. */
  missing?: boolean;
}

export interface Message {
  id: string;
  seq: number;
  kind: MessageKind | string;
  text?: string;
  sender: Who;
  ref?: string;
  file?: FileInfo;
  at: number;
  conversation?: string;
  private?: boolean;
  reply_to?: string;
  stream?: string;
  /** How the words are meant; none: as they are. */
  format?: 'markdown' | string;
  /** Where an assistant's answer is from. */
  sources?: { title?: string; url?: string; text?: string }[];
  /** Texts for buttons; a reply with one of them is the answer. */
  choices?: string[];
  /** It ends before its end: stopped, too_long, or a class of error. */
  cut?: string;
  status?: 'delivered' | 'read';
  recalled?: boolean;
  /** Staff said it on the platform itself, not from here. */
  outside?: boolean;
  recalled_at?: number;
  recalled_by?: Who;
  /** The system's, for agents: why a bot gave the conversation away. */
  handover?: string;
  /** The system's, for agents: what was said before they took it. */
  summary?: boolean;
  /** A script changed the words: what was really said, and in which language. */
  original?: string;
  language?: string;
  /** On its way to a platform; agents are told. */
  delivery?: { status: 'waiting' | 'sent' | 'delivered' | 'read' | 'failed' | 'recalled'; outbox: string; reason?: string; code?: string };
  options?: { text: string; value?: string }[];
}

export interface Conversation {
  id: string;
  channel: string;
  channel_type: string;
  contact: string;
  contact_name: string;
  state: ConvState;
  assignee: string | null;
  /** Holds it (state bot), or held it last. */
  assistant?: string | null;
  team: string | null;
  priority?: number;
  tags: string[];
  last_seq: number;
  unread: number;
  waiting_since_at: number | null;
  /** Till then, and so many answers, its platform takes; no reply_window: any time. */
  reply_until_at?: number | null;
  reply_left?: number | null;
  reply_window?: { ms: number; count: number } | null;
  queued_at?: number | null;
  agent_read?: number;
  visitor_read?: number;
  created_at: number;
  updated_at: number;
  preview: string;
}

export interface Agent {
  id: string;
  name: string;
  email?: string;
  role: 'admin' | 'supervisor' | 'agent';
  status: AgentStatus;
  max_load?: number;
  load?: number;
}

export interface Contact {
  id: string;
  name: string;
  email?: string | null;
  phone?: string | null;
  tier?: string | null;
  tags?: string[];
  attributes?: Record<string, unknown>;
  created_at?: number;
}

export interface Channel {
  id: string;
  name: string;
  type: string;
  enabled?: boolean;
  state?: string;
  config?: Record<string, unknown>;
  /** What was sent can be taken back. */
  recalls?: boolean;
  /** Of messages its platform shows; others arrive as text with a link. */
  kinds?: string[];
}

export interface ScriptError {
  phase?: string;
  file?: string;
  line?: number;
  message: string;
  traceback?: string;
  count?: number;
  first_at?: number;
  last_at?: number;
}

export interface Script {
  name: string;
  kind?: string;
  state: string;
  version?: string | number;
  loaded_at?: number | null;
  priority?: number;
  /** Why this version serves. */
  note?: string;
  canary?: Canary | null;
  pin?: boolean;
  pinned?: { version: string; since_at: number; until_at: number }[];
  calls?: number;
  failures?: number;
  kills?: number;
  cpu_us?: number;
  memory_bytes?: number;
  in_flight?: number;
  limits?: ScriptLimits;
  errors?: ScriptError[];
}

export interface Page<T> {
  items: T[];
  total?: number;
  next?: string | null;
}

export interface Limits {
  text_bytes: number;
  file_bytes: number;
  frames_per_s: number;
  /** So long a message can be taken back. */
  recall_ms?: number;
}

export interface Queue {
  position: number;
  eta_ms?: number;
}

export interface PageInfo {
  url?: string;
  title?: string;
  referrer?: string;
}

export interface SendBody {
  ref: string;
  conversation?: string;
  kind: string;
  text?: string;
  file?: string;
  private?: boolean;
  reply_to?: string;
}

export type ClientFrame =
  | { type: 'hello'; channel?: string; token?: string; identity?: unknown; page?: PageInfo; locale?: string; resume?: string; status?: AgentStatus }
  | ({ type: 'send' } & SendBody)
  | { type: 'typing'; conversation?: string; text?: string }
  | { type: 'read'; conversation?: string; seq: number }
  | { type: 'ping'; ref?: string }
  | { type: 'status'; status: AgentStatus }
  | { type: 'stop'; ref?: string; conversation?: string }
  | { type: 'watch'; conversation?: string }
  | { type: 'history'; ref: string; conversation?: string; before?: number; limit?: number };

export interface Welcome {
  type: 'welcome';
  session: string;
  you: Who;
  token?: string;
  conversation?: { id: string; state: ConvState; last_seq: number; queue?: Queue; agent_read?: number };
  cursor?: string;
  recovered: boolean;
  heartbeat_ms: number;
  server_at: number;
  limits: Limits;
}

export interface Ack {
  type: 'ack';
  ref: string;
  conversation: string;
  id: string;
  seq: number;
  at: number;
  cursor?: string;
  duplicate?: boolean;
}

/** Read or delivered by somebody; or, without `by`, what a platform made of it. */
export interface StatusData {
  seq: number;
  status: 'read' | 'delivered' | 'sent' | 'failed' | 'recalled' | 'not_recalled';
  by?: Who;
  /** A platform's: of which row of the outbox. */
  outbox?: string;
  code?: string;
  reason?: string;
  /** It could not show the kind: what became of it. */
  shown?: { kind: string; as: string; why?: string };
}

export interface EventFrame {
  type: 'event';
  event: string;
  cursor: string;
  at: number;
  conversation?: string;
  data: unknown;
}

export interface HistoryFrame {
  type: 'history';
  ref: string;
  conversation?: string;
  items: Message[];
  more: boolean;
}

export interface ErrorFrame {
  type: 'error';
  ref?: string;
  code: string;
  message: string;
  retry_after_ms?: number;
}

export interface DeltaFrame {
  type: 'delta';
  conversation: string;
  stream: string;
  index: number;
  text: string;
  /** With the first piece, and a whole one. */
  sender?: Who;
  /** All pieces up to this one, for who came in the middle. */
  whole?: boolean;
}

export type ServerFrame =
  | Welcome
  | Ack
  | EventFrame
  | HistoryFrame
  | ErrorFrame
  | DeltaFrame
  | { type: 'typing'; conversation: string; who: Who; text?: string }
  | ({ type: 'queue'; conversation: string } & Queue)
  | { type: 'presence'; agent: string; status: AgentStatus }
  | { type: 'reconnect'; after_ms: number; reason?: string }
  | { type: 'pong'; ref?: string };
