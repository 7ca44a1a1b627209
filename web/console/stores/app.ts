// SPDX-License-Identifier: Apache-2.0
// Who is signed in, the connection, colleagues, channels; sign-in and out.
import { signal } from '@preact/signals';
import { AgentClient } from '../../sdk/agent.ts';
import { Rest } from '../../sdk/rest.ts';
import type { SessionState } from '../../sdk/session.ts';
import { browserStore } from '../../sdk/storage.ts';
import type { Agent, AgentStatus, Channel, Page } from '../../sdk/types.ts';
import { Drafts } from '../../shared/composer/drafts.ts';
import { settings } from '../../shared/hotkeys.ts';
import { t } from '../../shared/i18n.ts';

export type Phase = 'boot' | 'login' | 'in' | 'error';

export const phase = signal<Phase>('boot');
export const me = signal<Agent | null>(null);
/** Signed out by the server while working: a dialog over the page. */
export const expired = signal(false);
export const outdated = signal(false);
export const link = signal<SessionState>('idle');
export const status = signal<AgentStatus>('online');
export const agents = signal<Map<string, Agent>>(new Map());
export const channels = signal<Map<string, Channel>>(new Map());

export const store = browserStore();
export const rest = new Rest({ onExpired: () => onExpired() });
export let client: AgentClient | null = null;
export let drafts = new Drafts(store, 'yl.agent.none.draft.');

const tabs = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('yuelai.console');
type TabWord = { word: 'in'; agent: string } | { word: 'out' };
const onReady: (() => void)[] = [];

/** Stores that need the live client hook in here. */
export function whenClient(fn: () => void): void {
  onReady.push(fn);
}

export function pref(name: string): string | null {
  return store.get('yl.pref.' + name);
}

export function setPref(name: string, value: string): void {
  store.set('yl.pref.' + name, value);
}

function onExpired(): void {
  if (phase.value === 'in') expired.value = true;
}

export async function boot(): Promise<void> {
  settings.letters = pref('letters') !== 'off';
  phase.value = 'boot';
  try {
    const body = await rest.get<Agent | { agent: Agent }>('/me');
    enter('agent' in body ? body.agent : body);
  } catch (e) {
    phase.value = (e as { status?: number }).status === 401 ? 'login' : 'error';
  }
}

export async function login(email: string, password: string): Promise<void> {
  const body = await rest.post<{ agent: Agent }>('/login', { email, password });
  tabs?.postMessage({ word: 'in', agent: body.agent.id } satisfies TabWord);
  store.set('yl.pref.email', email);
  signedIn(body.agent);
}

function signedIn(agent: Agent): void {
  if (me.value && me.value.id !== agent.id) {
    location.reload(); // another user: nothing of the first may stay
    return;
  }
  if (phase.value === 'in') {
    expired.value = false;
    client?.session.renew();
  } else enter(agent);
}

export async function logout(): Promise<void> {
  try {
    await rest.post('/logout');
  } catch {
    // the server may be away; this browser is signed out all the same
  }
  tabs?.postMessage({ word: 'out' } satisfies TabWord);
  leave();
}

function leave(): void {
  client?.session.stop();
  location.reload();
}

if (tabs) {
  tabs.onmessage = (e: MessageEvent<TabWord>) => {
    if (e.data.word === 'out') leave();
    else if (phase.value === 'login' || expired.value) void boot2(e.data.agent);
  };
}

async function boot2(agent: string): Promise<void> {
  if (me.value && me.value.id !== agent) location.reload();
  else if (me.value) signedIn(me.value);
  else await boot();
}

function enter(agent: Agent): void {
  me.value = agent;
  phase.value = 'in';
  drafts = new Drafts(store, 'yl.agent.' + agent.id + '.draft.');
  const kept = pref('status') as AgentStatus | null;
  status.value = kept ?? (agent.status === 'offline' || !agent.status ? 'online' : agent.status);
  const url = (location.protocol === 'https:' ? 'wss://' : 'ws://') + location.host + '/ws';
  client = new AgentClient({ url, agent: agent.id, store, status: () => (pref('status') as AgentStatus | null) ?? status.value });
  client.on('state', (s) => {
    link.value = s;
    if (s === 'expired') onExpired();
  });
  client.on('presence', (p) => onPresence(p.agent, p.status));
  client.on('welcome', () => void loadPeople());
  for (const fn of onReady) fn();
  client.session.start();
}

function onPresence(id: string, s: AgentStatus): void {
  const known = agents.value.get(id);
  if (known) agents.value = new Map(agents.value).set(id, { ...known, status: s });
  // Shown, not kept: what the next hello asks for is what was chosen here, or
  // an `offline` that a lost socket left behind would become our own wish.
  if (id === me.value?.id) status.value = s;
}

async function loadPeople(): Promise<void> {
  const load = async <T extends { id: string }>(path: string, into: { value: Map<string, T> }) => {
    try {
      const page = await rest.get<Page<T>>(path, { limit: 100 });
      into.value = new Map(page.items.map((x) => [x.id, x]));
    } catch {
      // names show as they come with messages
    }
  };
  await Promise.all([load<Agent>('/agents', agents), load<Channel>('/channels', channels)]);
}

export function setStatus(next: AgentStatus): void {
  status.value = next;
  setPref('status', next);
  if (!client?.setStatus(next)) void rest.patch('/me', { status: next }).catch(() => undefined);
}

export function agentName(id: string | null | undefined): string {
  if (!id) return '';
  return agents.value.get(id)?.name ?? (id === me.value?.id ? me.value.name : '');
}

export function channelType(id: string, type?: string): string {
  return type ?? channels.value.get(id)?.type ?? 'web';
}

/** A type in words; types come with adapters, so it may be one we never heard of. */
export function typeName(type: string): string {
  const words = t('channel.' + type);
  return words === 'channel.' + type ? type : words;
}

const asked = new Set<string>();

/** What people call a channel. One that is newer than our list: its type, and the list is read again, once. */
export function channelName(id: string, type?: string): string {
  const known = channels.value.get(id);
  if (known) return known.name;
  if (!asked.has(id)) {
    asked.add(id);
    setTimeout(() => void loadPeople());
  }
  return typeName(type ?? 'web');
}
