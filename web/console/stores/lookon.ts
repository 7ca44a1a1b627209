// SPDX-License-Identifier: Apache-2.0
// Events of what a bot holds are told to its visitor alone. Whoever looks on has
// the growing answer by frames, and asks now and then for the rest, as long as
// the conversation is open here and seen. And a tool of the bot that waits for
// a person's word.
import { effect, signal } from '@preact/signals';
import type { Confirmation } from '../../sdk/house.ts';
import type { Page } from '../../sdk/types.ts';
import * as app from './app.ts';
import * as inbox from './inbox.ts';
import * as thread from './thread.ts';

const QUICK_MS = 700;
const SLOW_MS = 2_500;

interface Answer {
  state: string;
  assistant: string;
  last_seq: number;
  stream?: string;
  text?: string;
}

/** Of the conversation that is open; newest first. */
export const waiting = signal<Confirmation[]>([]);

/** The answer that comes by frames; what a look says of it is older. */
let framed = '';
let frames = 0;

/** `older`: than frames that came while it was on its way. */
function took(id: string, a: Answer, older: boolean): void {
  const c = inbox.convs.get(id);
  if (a.last_seq > thread.line(id).top) void thread.catchUp(id);
  if (c && (c.state !== a.state || (c.assistant ?? '') !== a.assistant)) void inbox.fetchOne(id);
  if (older && a.state === 'bot') return;
  const now = thread.streamOf(id);
  if (a.stream === undefined || a.state !== 'bot') {
    if (now) thread.dropStreams(id);
  } else if (a.stream !== framed && a.text && (now?.id !== a.stream || now.text !== a.text)) {
    app.client?.streams.end(now?.id);
    app.client?.streams.apply({ type: 'delta', conversation: id, stream: a.stream, index: 0, text: a.text });
  } else return;
  thread.bump();
}

export async function askConfirmations(id: string): Promise<void> {
  const page = await app.rest.get<Page<Confirmation>>(`/conversations/${id}/confirmations`, { limit: 20 });
  if (thread.openId.value === id) waiting.value = page.items;
}

/** Looks until it is told to stop. */
function watch(id: string): () => void {
  const session = app.client!.session;
  let timer: ReturnType<typeof setTimeout>;
  let over = false;
  let round = 0;
  let seen = 0;
  const later = (ms: number) => {
    clearTimeout(timer);
    if (!over) timer = setTimeout(() => void turn(), ms);
  };
  const turn = async () => {
    let soon = false;
    if (document.visibilityState === 'visible' && app.link.value === 'open' && !app.expired.value) {
      try {
        const before = frames;
        const a = await app.rest.get<Answer>(`/conversations/${id}/answer`);
        if (over) return;
        soon = a.stream !== undefined;
        took(id, a, frames !== before);
        // A question is a message: it is asked for at once; its end is not.
        if (round++ % 4 === 0 || a.last_seq !== seen) await askConfirmations(id);
        seen = a.last_seq;
      } catch {
        // the next look may do better; the connection's banner says the rest
      }
    }
    later(soon || thread.answering(id) ? QUICK_MS : SLOW_MS);
  };
  const say = () => session.send({ type: 'watch', conversation: id });
  const offs = [
    session.on('welcome', say),
    session.on('delta', (d) => {
      if (d.conversation !== id) return;
      framed = d.stream;
      frames++;
      later(QUICK_MS); // as soon as no more comes
    }),
  ];
  say();
  void turn();
  return () => {
    over = true;
    framed = '';
    clearTimeout(timer);
    for (const off of offs) off();
    session.send({ type: 'watch' });
  };
}

export async function decide(c: Confirmation, approve: boolean): Promise<void> {
  try {
    await app.rest.post(`/conversations/${c.conversation}/confirmations/${c.id}`, { approve, hash: c.hash });
  } finally {
    await askConfirmations(c.conversation);
  }
}

let stop: (() => void) | null = null;
let watched = '';

app.whenClient(() =>
  effect(() => {
    const c = thread.current.value;
    const id = c?.state === 'bot' ? c.id : '';
    if (id === watched) return;
    stop?.();
    watched = id;
    waiting.value = [];
    stop = id ? watch(id) : null;
  }),
);
