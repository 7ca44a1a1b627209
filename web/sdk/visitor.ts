// SPDX-License-Identifier: Apache-2.0
// A visitor's side of a channel: one conversation at a time, its messages,
// the outbox, and everything needed to draw them. No view in here.
import { Emitter } from './emitter.ts';
import { Outbox, type OutItem } from './outbox.ts';
import { Session, type SessionState } from './session.ts';
import { Streams, TypingBoard, type Typing } from './streams.ts';
import { Timeline } from './sync.ts';
import type { Store } from './storage.ts';
import type { SocketLike } from './transport.ts';
import type { Ack, Conversation, EventFrame, Message, PageInfo, Queue, ServerFrame, StatusData, Welcome, Who } from './types.ts';

interface Events {
  change: void;
  state: SessionState;
  /** A live message of the other side. */
  message: Message;
}

export interface VisitorOptions {
  url: string;
  channel: string;
  store: Store;
  locale?: string;
  page?: PageInfo;
  /** What the shop's server signed; a function is asked at each hello. */
  identity?: unknown;
  connect?: (url: string) => SocketLike;
}

const PAGE = 50;
const DELTA_MS = 40;

export class Visitor extends Emitter<Events> {
  readonly session: Session;
  readonly outbox: Outbox;
  readonly typing: TypingBoard;
  readonly streams = new Streams();
  timeline = new Timeline('');
  /** Messages of earlier conversations seen in this page's life. */
  past: Message[] = [];
  conversation: { id: string; state: Conversation['state'] } | null = null;
  queue: Queue | null = null;
  you: Who | null = null;
  ready = false;
  loadingOlder = false;
  private typedAt = 0;
  private due: ReturnType<typeof setTimeout> | undefined;
  private page: PageInfo | undefined;

  constructor(private opt: VisitorOptions) {
    super();
    const prefix = 'yl.' + opt.channel + '.';
    this.page = opt.page;
    this.session = new Session({
      url: opt.url,
      connect: opt.connect,
      hello: () => ({
        type: 'hello',
        channel: opt.channel,
        token: this.token || undefined,
        identity: typeof opt.identity === 'function' ? (opt.identity as () => unknown)() : opt.identity,
        page: this.page,
        locale: opt.locale,
      }),
    });
    this.outbox = new Outbox({
      store: opt.store,
      prefix: prefix + 'out.',
      send: (body) => this.session.send({ type: 'send', ...body }),
    });
    this.typing = new TypingBoard(() => this.changed());
    this.outbox.on('change', () => this.changed());
    this.outbox.on('acked', ({ item, ack }) => this.onAcked(item, ack));
    this.session.on('welcome', ({ welcome }) => this.onWelcome(welcome));
    this.session.on('state', (s) => this.onState(s));
    this.session.on('ack', (a) => void this.outbox.onAck(a));
    this.session.on('event', (e) => this.onEvent(e));
    this.session.on('error', (e) => void this.outbox.onError(e));
    this.session.on('fleeting', (f) => this.onFleeting(f));
    this.session.on('delta', (d) => {
      this.streams.apply(d);
      // As often as eyes can follow, however small the pieces.
      this.due = this.due || setTimeout(() => ((this.due = undefined), this.changed()), DELTA_MS);
    });
  }

  get token(): string | null {
    return this.opt.store.get('yl.' + this.opt.channel + '.token');
  }

  start(): void {
    this.session.start();
  }

  stop(): void {
    this.session.stop();
  }

  send(text: string): OutItem {
    this.typedAt = 0;
    return this.outbox.add({ kind: 'text', text });
  }

  /** Call at each key; goes out at most every 2.5 s. */
  type(text: string): void {
    const now = Date.now();
    if (now - this.typedAt < 2_500 || !this.session.open) return;
    this.typedAt = now;
    this.session.send({ type: 'typing', text });
  }

  read(seq: number): boolean {
    return this.session.send({ type: 'read', seq });
  }

  /** Enough of the answer that is growing; what is there of it stays. */
  stopAnswer(): boolean {
    return this.session.send({ type: 'stop' });
  }

  async older(): Promise<void> {
    const first = this.timeline.first;
    if (this.loadingOlder || !this.timeline.more || !first) return;
    this.loadingOlder = true;
    this.changed();
    try {
      const h = await this.session.history({ before: first.seq, limit: PAGE });
      this.timeline.page(h.items, h.more, false);
    } catch {
      // the button is still there
    } finally {
      this.loadingOlder = false;
      this.changed();
    }
  }

  messages(): Message[] {
    return this.past.length ? this.past.concat(this.timeline.items) : this.timeline.items;
  }

  typers(): Typing[] {
    return this.typing.of(this.conversation?.id || '');
  }

  private changed(): void {
    this.emit('change', undefined);
  }

  private onState(s: SessionState): void {
    if (s !== 'open') this.outbox.onDown();
    this.emit('state', s);
    this.changed();
  }

  private onWelcome(w: Welcome): void {
    if (w.token !== undefined) this.opt.store.set('yl.' + this.opt.channel + '.token', w.token);
    this.you = w.you;
    const conv = w.conversation;
    if (conv) {
      this.enter(conv.id, false);
      this.conversation = { id: conv.id, state: conv.state };
      this.queue = conv.queue || null;
      this.settle(conv.state, true);
      if (conv.agent_read) this.timeline.readBy.agent = conv.agent_read;
      if (!this.timeline.loaded || !w.recovered) void this.refetch();
    } else {
      this.ready = true;
      this.timeline.loaded = true;
    }
    this.outbox.onUp();
    this.changed();
  }

  /** The conversation messages belong to from now on. False: an older one
   * (a repeated ref of long ago), which must not pull us back; ids sort. */
  private enter(id: string, live = true): boolean {
    if (this.timeline.id === id) return true;
    if (this.timeline.id > id) return false;
    if (this.timeline.items.length) this.past = this.past.concat(this.timeline.items);
    this.timeline = new Timeline(id);
    this.timeline.loaded = live; // begun before our eyes: a hole is a hole
    this.streams.clear();
    if (!this.conversation || this.conversation.id !== id) this.conversation = { id, state: 'open' };
    return true;
  }

  /** Newest page, and older ones until it meets what we hold. */
  private async refetch(): Promise<void> {
    const line = this.timeline;
    const from = line.top;
    try {
      let h = await this.session.history({ limit: PAGE });
      if (line !== this.timeline) return;
      const pages = [h];
      while (h.more && from > 0 && h.items[0] && h.items[0].seq > from + 1 && pages.length < 20) {
        h = await this.session.history({ before: h.items[0].seq, limit: 100 });
        pages.push(h);
      }
      const whole = ([] as Message[]).concat(...pages.reverse().map((p) => p.items));
      for (const m of whole) {
        if (m.ref !== undefined && this.isMine(m)) this.outbox.onOwn(m.ref);
        this.streams.end(m.stream);
      }
      line.page(whole, h.more, true);
      this.ready = true;
    } catch {
      // offline again: the next welcome asks anew
    }
    this.changed();
  }

  private isMine(m: Message): boolean {
    return m.sender.role === 'visitor';
  }

  private onAcked(item: OutItem, ack: Ack): void {
    if (!this.enter(ack.conversation)) return;
    this.take({
      id: ack.id,
      seq: ack.seq,
      at: ack.at,
      kind: item.kind,
      text: item.text,
      file: item.info,
      ref: item.ref,
      reply_to: item.reply_to,
      sender: this.you || { role: 'visitor', id: '' },
    });
  }

  private take(m: Message): boolean {
    const applied = this.timeline.apply(m);
    if (applied === 'gap') void this.refetch();
    // An answer ends with its message; anybody else's ends it without one.
    this.streams.clear();
    return applied !== 'known';
  }

  private onEvent(e: EventFrame): void {
    if (e.event === 'message.created') {
      const m = e.data as Message;
      if (e.conversation !== undefined && !this.enter(e.conversation)) return;
      if (m.ref !== undefined && this.isMine(m)) this.outbox.onOwn(m.ref);
      const isNew = this.take(m);
      this.typing.clear(this.timeline.id, m.sender);
      if (m.sender.role === 'agent') this.queue = null;
      if (isNew && !this.isMine(m)) this.emit('message', m);
    } else if (e.event === 'message.updated') {
      this.timeline.update(e.data as Message);
    } else if (e.event === 'message.status') {
      this.timeline.mark(e.data as StatusData);
    } else if (e.event.startsWith('conversation.') && e.conversation === this.conversation?.id) {
      const state = (e.data as Partial<Conversation>).state;
      if (state && this.conversation) this.conversation = { ...this.conversation, state };
      if (state && state !== 'queued') this.queue = null;
      if (state) this.settle(state);
    }
    this.changed();
  }

  /** Only while a bot holds the conversation an answer can grow. */
  private settle(state: Conversation['state'], anew?: boolean): void {
    if (state !== 'bot') this.streams.clear();
    else if (anew) this.streams.stale();
  }

  private onFleeting(f: ServerFrame): void {
    if (f.type === 'typing') this.typing.set(f.conversation, f.who, f.text);
    else if (f.type === 'queue') this.queue = { position: f.position, eta_ms: f.eta_ms };
    this.changed();
  }
}
