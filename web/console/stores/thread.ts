// SPDX-License-Identifier: Apache-2.0
// The open conversation: its timeline, its unsent items, what was unread
// when it was opened, and what the agent can do to it.
import { computed, signal } from '@preact/signals';
import { RestError } from '../../sdk/rest.ts';
import type { Stream } from '../../sdk/streams.ts';
import { Timeline } from '../../sdk/sync.ts';
import type { Contact, FileInfo, Message, Page, StatusData } from '../../sdk/types.ts';
import { Reading } from '../../shared/presence/reading.ts';
import * as app from './app.ts';
import { onPage, onPlatform } from './delivery.ts';
import * as inbox from './inbox.ts';
import { t } from '../../shared/i18n.ts';
import { go } from '../../shared/router.ts';
import { toast, toastError } from './toast.ts';
import { afterMessage } from './window.ts';

const PAGE = 50;
const KEEP = 20;

export const openId = signal<string | null>(null);
export const threadTick = signal(0);
export const failed = signal<unknown>(null);
export const loadingOlder = signal(false);
/** 以下为未读消息 goes after this seq; set when opened, gone after sending. */
export const unreadAfter = signal<number | null>(null);
export const contact = signal<Contact | null>(null);
export const spoken = signal('');

const lines = new Map<string, Timeline>();
/** Told while the first page was asked for: its answer may be older. */
const heard = new Map<string, number>();
let frame = 0;
/** Raised when own words were written: the log goes to its end. */
export const sentTick = signal(0);

export const reading = new Reading({
  send: (seq) => {
    const id = openId.value;
    if (!id || !app.client?.read(id, seq)) return false;
    inbox.markRead(id);
    return true;
  },
});

export const current = computed(() => {
  inbox.listTick.value;
  threadTick.value;
  const c = openId.value ? inbox.convs.get(openId.value) : undefined;
  return c ? { ...c } : null;
});

export function bump(): void {
  if (frame) return;
  const run = () => {
    frame = 0;
    threadTick.value++;
  };
  frame = document.visibilityState === 'hidden' ? (setTimeout(run, 200) as unknown as number) : requestAnimationFrame(run);
}

export function line(id: string): Timeline {
  let l = lines.get(id);
  if (l) lines.delete(id); // to the young end
  else l = new Timeline(id);
  lines.set(id, l);
  if (lines.size > KEEP) lines.delete(lines.keys().next().value!);
  return l;
}

export function open(id: string | null): void {
  if (openId.value === id) return;
  openId.value = id;
  failed.value = null;
  contact.value = null;
  spoken.value = '';
  if (!id) return;
  const c = inbox.convs.get(id);
  const read = c ? c.last_seq - c.unread : 0;
  reading.reset(c && c.unread === 0 ? c.last_seq : read);
  unreadAfter.value = c && c.unread > 0 && read > 0 ? read : null;
  if (!c) void inbox.fetchOne(id);
  const l = line(id);
  if (!l.loaded) void loadNewest(id);
  else void fill(id);
}

export async function loadNewest(id: string): Promise<void> {
  failed.value = null;
  heard.delete(id);
  try {
    const page = await app.rest.get<Page<Message>>(`/conversations/${id}/messages`, { before: 'end', limit: PAGE });
    const l = line(id);
    l.page(page.items, (page.items[0]?.seq ?? 1) > 1, true);
    onPage(id, page.items);
    settleOwn(page.items);
    if ((heard.get(id) ?? 0) > l.top) void fill(id);
    heard.delete(id);
  } catch (e) {
    if (openId.value === id) failed.value = e;
  }
  threadTick.value++;
}

/** For who looks on: there is more than we hold. */
export function catchUp(id: string): Promise<void> {
  return line(id).loaded ? fill(id) : Promise.resolve();
}

/** What came while we were not told: from what we hold to the end. */
async function fill(id: string): Promise<void> {
  const l = line(id);
  try {
    for (let pages = 0; pages < 50; pages++) {
      const page = await app.rest.get<Page<Message>>(`/conversations/${id}/messages`, { after: l.top, limit: 100 });
      const more = l.more;
      l.page(page.items, more, false);
      onPage(id, page.items);
      l.more = more;
      settleOwn(page.items);
      if (page.items.length < 100) break;
    }
  } catch {
    // the next welcome or event asks again
  }
  bump();
}

export async function loadOlder(): Promise<void> {
  const id = openId.value;
  if (!id || loadingOlder.value) return;
  const l = line(id);
  if (!l.more || !l.first) return;
  loadingOlder.value = true;
  try {
    const page = await app.rest.get<Page<Message>>(`/conversations/${id}/messages`, { before: l.first.seq, limit: PAGE });
    l.page(page.items, (page.items[0]?.seq ?? 1) > 1, false);
    onPage(id, page.items);
  } catch (e) {
    toastError(e);
  } finally {
    loadingOlder.value = false;
    threadTick.value++;
  }
}

/** After recovered:false: closed threads are forgotten, the open one caught up. */
export function refresh(): void {
  const id = openId.value;
  for (const k of Array.from(lines.keys())) if (k !== id) lines.delete(k);
  if (!id) return;
  void inbox.fetchOne(id);
  if (line(id).loaded) void fill(id);
  else void loadNewest(id);
}

function take(id: string, l: Timeline, m: Message): void {
  if (!l.loaded) heard.set(id, Math.max(heard.get(id) ?? 0, m.seq));
  else if (l.apply(m) === 'gap') void fill(id);
}

function isMine(m: Message): boolean {
  return m.sender.role === 'agent' && m.sender.id === app.me.value?.id;
}

function settleOwn(items: Message[]): void {
  for (const m of items) if (m.ref !== undefined && isMine(m)) app.client?.outbox.onOwn(m.ref);
}

export function onMessage(id: string, m: Message): void {
  if (isMine(m)) settleOwn([m]);
  app.client?.typing.clear(id, m.sender);
  app.client?.streams.end(m.stream);
  if (m.sender.role === 'visitor') dropStreams(id);
  const l = lines.get(id);
  if (!l) return;
  take(id, l, m);
  if (l.loaded && id === openId.value) {
    if (!isMine(m)) spoken.value = (m.sender.name ?? '') + ': ' + (m.text ?? m.file?.name ?? '');
    bump();
  }
}

/** A piece of a bot's answer that is still being written. */
export function streamOf(id: string): Stream | undefined {
  return app.client?.streams.of(id).pop(); // one turn at a time: the newest
}

/** Nothing comes of it any more: the visitor wrote on, or somebody took it. */
export function dropStreams(id: string): void {
  for (const s of app.client?.streams.of(id) ?? []) app.client!.streams.end(s.id);
}

/** Does its bot owe an answer, or give one? */
export function answering(id: string): boolean {
  if (streamOf(id)) return true;
  const items = line(id).items;
  for (let i = items.length - 1; i >= 0; i--) {
    const m = items[i]!;
    if (!m.private && m.sender.role !== 'system') return m.sender.role === 'visitor';
  }
  return false;
}

export async function stopBot(id: string): Promise<void> {
  try {
    await app.rest.post(`/conversations/${id}/stop`);
  } catch (e) {
    if (!(e instanceof RestError && e.status === 409)) throw e;
    toast(t('bot.nothing'));
  }
}

export async function handBack(assistant: string): Promise<void> {
  const id = openId.value;
  if (id && (await act(`/conversations/${id}/transfer`, { assistant }, id, { assignee: null, state: 'bot', assistant }))) toast(t('bot.backDone', { name: assistant }));
}

export function onUpdate(id: string, m: Message): void {
  // What was taken back is not kept either.
  if (lines.get(id)?.update(m.recalled ? { ...m, text: undefined, file: undefined, original: undefined } : m)) bump();
}

/** The event that follows shows it. */
export async function recall(conversation: string, message: string): Promise<void> {
  await app.rest.post(`/conversations/${conversation}/messages/${message}/recall`);
}

export function onStatus(id: string, s: StatusData): void {
  if (!s.by) onPlatform(id, s);
  const l = lines.get(id);
  if (!l) return;
  l.mark(s);
  bump();
}

export function send(text: string, note: boolean): void {
  const id = openId.value;
  if (!id || !app.client) return;
  unreadAfter.value = null;
  app.client.send({ conversation: id, kind: 'text', text, private: note || undefined });
  sentTick.value++;
}

/** Once for a ref: a file outlives reloads, its message may be on the way already. */
export function sendFile(id: string, info: FileInfo, kind: string, note: boolean, ref: string): void {
  if (app.client?.outbox.find(ref)) return;
  app.client?.send({ conversation: id, kind, file: info.id, info, private: note || undefined, ref });
  sentTick.value++;
}

export async function close(): Promise<void> {
  const c = current.value;
  if (!c || c.state === 'closed') return;
  await act(`/conversations/${c.id}/close`, {}, c.id, { state: 'closed' });
  toast(t('thread.ended', { name: inbox.nameOf(inbox.convs.get(c.id)) }), { action: { label: t('undo'), run: () => void reopen(c.id) } });
}

export async function reopen(id: string): Promise<void> {
  await act(`/conversations/${id}/reopen`, {}, id, { state: 'open' });
}

export async function takeIt(): Promise<void> {
  const id = openId.value;
  const mine = app.me.value?.id;
  if (id && mine) await act(`/conversations/${id}/assign`, { agent: mine }, id, { assignee: mine, state: 'open' });
}

export async function transfer(body: { agent?: string; queue?: true; assistant?: string; note?: string }): Promise<boolean> {
  const id = openId.value;
  if (!id) return false;
  const done = await act(`/conversations/${id}/transfer`, body, id, {});
  if (done) toast(t('transfer.done'));
  return done;
}

/** Shown at once; put back if the server says no. */
async function act(path: string, body: unknown, id: string, guess: object): Promise<boolean> {
  const before = inbox.convs.get(id);
  if (before) inbox.put({ ...before, ...guess });
  inbox.listTick.value++;
  try {
    const answer = await app.rest.post<{ id?: string; state?: string } | undefined>(path, body);
    if (answer && answer.id === id && answer.state) inbox.put(answer as never);
    else void inbox.fetchOne(id);
    inbox.listTick.value++;
    return true;
  } catch (e) {
    if (before) inbox.convs.set(id, before);
    inbox.listTick.value++;
    toastError(e);
    return false;
  }
}

export async function loadContact(id: string): Promise<void> {
  try {
    const c = await app.rest.get<Contact>('/contacts/' + id);
    if (current.value?.contact === id) contact.value = c;
  } catch {
    // the details say nothing then
  }
}

export async function saveContact(id: string, field: string, value: string): Promise<void> {
  const before = contact.value;
  if (before && before.id === id) contact.value = { ...before, [field]: value };
  try {
    const c = await app.rest.patch<Contact>('/contacts/' + id, { [field]: value });
    if (contact.value?.id === id) contact.value = c;
    if (field === 'name') {
      for (const conv of inbox.convs.values()) if (conv.contact === id) conv.contact_name = value;
      inbox.listTick.value++;
    }
  } catch (e) {
    contact.value = before;
    toastError(e);
  }
}

export function leaveThread(): void {
  go('/');
}

app.whenClient(() => {
  const c = app.client!;
  c.on('outbox', () => threadTick.value++);
  c.on('fleeting', () => bump());
  c.on('acked', ({ item, ack }) => {
    const me = app.me.value!;
    const m: Message = {
      id: ack.id, seq: ack.seq, at: ack.at, kind: item.kind, text: item.text, file: item.info, private: item.private, ref: item.ref,
      reply_to: item.reply_to, sender: { role: 'agent', id: me.id, name: me.name },
    };
    const l = lines.get(ack.conversation);
    if (l) take(ack.conversation, l, m);
    const conv = inbox.convs.get(ack.conversation);
    if (conv && ack.seq > conv.last_seq) {
      inbox.put({ ...conv, last_seq: ack.seq, updated_at: ack.at, preview: item.private ? conv.preview : inbox.previewOf({ kind: item.kind, text: item.text, file: item.info }), unread: 0, waiting_since_at: item.private ? conv.waiting_since_at : null, ...afterMessage(conv, m) });
      inbox.bumpList();
    }
  });
});
