// SPDX-License-Identifier: Apache-2.0
// Conversations: what is known of them, which lists they are in, and what
// the events mean for them. Mutable maps under version signals, raised at
// most once a frame (thread) or eight times a second (list): 200 events a
// second must not mean 200 renders.
import { computed, signal } from '@preact/signals';
import type { Conversation, EventFrame, Message, Page, StatusData } from '../../sdk/types.ts';
import { t } from '../../shared/i18n.ts';
import * as app from './app.ts';
import { onNews } from './alerts.ts';
import { afterMessage } from './window.ts';
import * as thread from './thread.ts';

export type Tab = 'mine' | 'queue' | 'all';
export type Sort = 'newest' | 'waiting';

interface View {
  loaded: boolean;
  loading: boolean;
  failed: unknown;
  total: number;
  fetched: number;
  done: boolean;
  /** Answered by the server since the last reload. */
  ids: Set<string>;
}

const PAGE = 50;
const LIST_MS = 120;
const fresh = (): View => ({ loaded: false, loading: false, failed: null, total: 0, fetched: 0, done: false, ids: new Set() });

export const convs = new Map<string, Conversation>();
export const listTick = signal(0);
export const tab = signal<Tab>('mine');
export const sort = signal<Sort>('newest');
export const stateFilter = signal('');
export const query = signal('');
export const found = signal<{ q: string; ids: string[] | null; failed?: unknown } | null>(null);
export const views: Record<Tab, View> = { mine: fresh(), queue: fresh(), all: fresh() };

let listTimer: ReturnType<typeof setTimeout> | undefined;
let generation = 0;
const fetching = new Set<string>();

export function bumpList(): void {
  if (listTimer !== undefined) return;
  listTimer = setTimeout(() => {
    listTimer = undefined;
    listTick.value++;
  }, LIST_MS);
}

function bumpNow(): void {
  clearTimeout(listTimer);
  listTimer = undefined;
  listTick.value++;
}

export function inView(c: Conversation, v: Tab): boolean {
  if (v === 'mine') return c.assignee === app.me.value?.id && c.state !== 'closed';
  if (v === 'queue') return c.state === 'queued';
  return stateFilter.value === '' || c.state === stateFilter.value;
}

/** Visitors who said no name are told apart by the end of their id. */
export function nameOf(c: Conversation | undefined): string {
  return c?.contact_name || t('role.visitor') + (c ? ' ' + c.contact.slice(-8, -4) : '');
}

/** Since when somebody waits for us, if so. */
export function waitingSince(c: Conversation): number | null {
  if (c.state === 'closed') return null;
  return c.waiting_since_at || (c.state === 'queued' && c.queued_at) || null;
}

const byNewest = (a: Conversation, b: Conversation) => b.updated_at - a.updated_at || (a.id < b.id ? 1 : -1);
const byWaiting = (a: Conversation, b: Conversation) => (waitingSince(a) ?? Infinity) - (waitingSince(b) ?? Infinity) || byNewest(a, b);

export const list = computed<Conversation[]>(() => {
  listTick.value;
  const f = found.value;
  if (f && f.ids) return f.ids.map((id) => convs.get(id)).filter((c): c is Conversation => !!c);
  const v = tab.value;
  stateFilter.value;
  const out: Conversation[] = [];
  for (const c of convs.values()) if (inView(c, v)) out.push(c);
  return out.sort(sort.value === 'waiting' ? byWaiting : byNewest);
});

export const counts = computed(() => {
  listTick.value;
  let mine = 0;
  let queue = 0;
  let unread = 0;
  for (const c of convs.values()) {
    if (inView(c, 'mine')) {
      mine++;
      unread += c.unread;
    }
    if (inView(c, 'queue')) queue++;
  }
  return {
    mine: views.mine.done ? mine : Math.max(mine, views.mine.total),
    queue: views.queue.done ? queue : Math.max(queue, views.queue.total),
    unread,
  };
});

function queryOf(v: Tab): Record<string, string | undefined> {
  if (v === 'mine') return { assignee: 'me', state: 'open' };
  if (v === 'queue') return { state: 'queued' };
  return { state: stateFilter.value };
}

export async function loadMore(v: Tab = tab.value): Promise<void> {
  const view = views[v];
  if (view.loading || view.done) return;
  view.loading = true;
  view.failed = null;
  bumpNow();
  const g = generation;
  try {
    const page = await app.rest.get<Page<Conversation>>('/conversations', { ...queryOf(v), sort: sort.value, limit: PAGE, offset: view.fetched });
    if (g !== generation) return;
    for (const c of page.items) {
      put(c);
      view.ids.add(c.id);
    }
    view.fetched += page.items.length;
    view.total = page.total ?? view.fetched;
    view.done = page.items.length < PAGE || view.fetched >= view.total;
    view.loaded = true;
    if (view.done && v !== 'all') doubt(v);
  } catch (e) {
    if (g === generation) view.failed = e;
  } finally {
    if (g === generation) view.loading = false;
    bumpNow();
  }
}

/** Rows we still hold that the full list did not name: transferred or ended
 * while we were not told. Asked one by one; what we may not see goes. */
function doubt(v: Tab): void {
  for (const c of convs.values()) if (inView(c, v) && !views[v].ids.has(c.id)) void fetchOne(c.id);
}

/** Everything anew: at sign-in, after recovered:false, another filter. */
export function reload(only?: Tab): void {
  if (!only) generation++;
  for (const v of only ? [only] : (['mine', 'queue', 'all'] as Tab[])) {
    views[v] = { ...fresh(), loaded: views[v].loaded };
    if (v !== 'all' || only || tab.value === 'all') void loadMore(v);
  }
}

export function selectTab(v: Tab): void {
  tab.value = v;
  if (!views[v].loaded) void loadMore(v);
}

export function setSort(s: Sort): void {
  sort.value = s;
  reload();
}

export function setStateFilter(s: string): void {
  stateFilter.value = s;
  reload('all');
}

let searchTimer: ReturnType<typeof setTimeout> | undefined;
export function search(q: string): void {
  query.value = q;
  clearTimeout(searchTimer);
  if (q.trim() === '') {
    found.value = null;
    return;
  }
  searchTimer = setTimeout(() => void runSearch(q.trim()), 250);
}

async function runSearch(q: string): Promise<void> {
  found.value = { q, ids: found.value?.ids ?? null };
  try {
    const page = await app.rest.get<Page<Conversation>>('/conversations', { q, limit: PAGE });
    if (query.value.trim() !== q) return;
    for (const c of page.items) put(c);
    found.value = { q, ids: page.items.map((c) => c.id) };
  } catch (e) {
    if (query.value.trim() === q) found.value = { q, ids: null, failed: e };
  }
}

export function put(c: Partial<Conversation> & { id: string }): Conversation {
  const old = convs.get(c.id);
  const next = { ...old, ...c } as Conversation;
  if (!next.tags) next.tags = [];
  // An answer that left the server before an event we already have.
  if (old && old.last_seq > (c.last_seq ?? 0)) {
    next.last_seq = old.last_seq;
    next.preview = old.preview;
    next.reply_until_at = old.reply_until_at;
    next.reply_left = old.reply_left;
    next.updated_at = Math.max(old.updated_at, next.updated_at);
  }
  convs.set(c.id, next);
  return next;
}

export async function fetchOne(id: string): Promise<void> {
  if (fetching.has(id)) return;
  fetching.add(id);
  try {
    put(await app.rest.get<Conversation>('/conversations/' + id));
    bumpNow();
  } catch (e) {
    // Not ours: an agent sees own and own teams' conversations.
    const status = (e as { status?: number }).status;
    if ((status === 404 || status === 403) && convs.delete(id)) bumpNow();
  } finally {
    fetching.delete(id);
  }
}

/** A message in a line, as the server makes it: its text, or `[image] a.jpg`. */
export function previewOf(m: { kind: string; text?: string; file?: { name?: string } }): string {
  if (m.text || m.kind === 'text') return m.text ?? '';
  const name = m.file?.name;
  return `[${m.kind}]` + (name ? ' ' + name : '');
}

function onMessage(id: string, m: Message): void {
  const c = convs.get(id);
  if (!c) {
    void fetchOne(id);
    return;
  }
  if (m.seq <= c.last_seq) return;
  c.last_seq = m.seq;
  if (!m.private) c.preview = previewOf(m) || c.preview;
  c.updated_at = m.at;
  Object.assign(c, afterMessage(c, m));
  if (m.sender.role === 'visitor') {
    c.unread++;
    c.waiting_since_at ??= m.at;
  } else if (m.sender.role === 'agent' && !m.private) {
    c.waiting_since_at = null;
    if (m.outside || m.sender.id === app.me.value?.id) c.unread = 0; // replying reads
  }
}

export function markRead(id: string): void {
  const c = convs.get(id);
  if (!c || c.unread === 0) return;
  c.unread = 0;
  bumpNow();
}

function onEvent(e: EventFrame): void {
  const id = e.conversation;
  if (id === undefined) return;
  if (e.event === 'message.created') {
    const m = e.data as Message;
    onMessage(id, m);
    thread.onMessage(id, m);
    onNews(id, m);
  } else if (e.event === 'message.updated') {
    const m = e.data as Message;
    const c = convs.get(id);
    if (c && m.recalled && m.seq === c.last_seq) c.preview = '[recalled]';
    thread.onUpdate(id, m);
  } else if (e.event === 'message.status') {
    const s = e.data as StatusData;
    thread.onStatus(id, s);
    const c = convs.get(id);
    if (c && s.by?.role === 'agent' && s.by.id === app.me.value?.id && s.seq >= c.last_seq) c.unread = 0;
  } else if (e.event.startsWith('conversation.')) {
    const before = convs.get(id);
    const c = e.data as Conversation;
    const after = put({ ...c, id });
    if (after.state !== 'bot') thread.dropStreams(id);
    if (after.assignee === app.me.value?.id && before?.assignee !== after.assignee) onNews(id, null);
    else if (after.state === 'queued' && before?.state !== 'queued') onNews(id, null);
    thread.bump();
  }
  bumpList();
}

app.whenClient(() => {
  const c = app.client!;
  reload(); // paint early; once more after the welcome, whose cursor starts the events
  c.on('event', onEvent);
  c.on('welcome', ({ welcome, first }) => {
    if (!first && welcome.recovered) return;
    reload();
    thread.refresh();
  });
});
