// SPDX-License-Identifier: Apache-2.0
// An agent's live side: session, outbox, fleeting frames. What the events
// mean for lists and threads is the console's stores' business.
import { Emitter } from './emitter.ts';
import { Outbox, type OutItem } from './outbox.ts';
import { Session, type SessionState } from './session.ts';
import { Streams, TypingBoard } from './streams.ts';
import type { Store } from './storage.ts';
import type { SocketLike } from './transport.ts';
import type { Ack, AgentStatus, DeltaFrame, EventFrame, FileInfo, SendBody, Welcome } from './types.ts';

interface Events {
  state: SessionState;
  welcome: { welcome: Welcome; first: boolean };
  event: EventFrame;
  acked: { item: OutItem; ack: Ack };
  presence: { agent: string; status: AgentStatus };
  outbox: void;
  fleeting: void;
  /** A piece of what this agent asked a model for. */
  draft: DeltaFrame;
}

/** Streams of this name are for the agent alone (POST …/copilot). */
export const OWN_STREAM = 'copilot.';

export interface AgentOptions {
  url: string;
  agent: string;
  store: Store;
  status: () => AgentStatus;
  connect?: (url: string) => SocketLike;
}

export class AgentClient extends Emitter<Events> {
  readonly session: Session;
  readonly outbox: Outbox;
  readonly typing: TypingBoard;
  readonly streams = new Streams();
  private typedAt = new Map<string, number>();

  constructor(opt: AgentOptions) {
    super();
    this.session = new Session({
      url: opt.url,
      connect: opt.connect,
      hello: () => ({ type: 'hello', status: opt.status() }),
    });
    this.outbox = new Outbox({
      store: opt.store,
      prefix: 'yl.agent.' + opt.agent + '.out.',
      send: (body) => this.session.send({ type: 'send', ...body }),
    });
    this.typing = new TypingBoard(() => this.emit('fleeting', undefined));
    this.session.on('state', (s) => {
      if (s !== 'open') this.outbox.onDown();
      this.emit('state', s);
    });
    this.session.on('welcome', (w) => {
      this.emit('welcome', w);
      this.outbox.onUp();
    });
    this.session.on('event', (e) => this.emit('event', e));
    this.session.on('ack', (a) => void this.outbox.onAck(a));
    this.session.on('error', (e) => void this.outbox.onError(e));
    this.session.on('delta', (d) => {
      if (d.stream.indexOf(OWN_STREAM) === 0) return this.emit('draft', d);
      this.streams.apply(d);
      this.emit('fleeting', undefined);
    });
    this.session.on('fleeting', (f) => {
      if (f.type === 'typing') this.typing.set(f.conversation, f.who, f.text);
      else if (f.type === 'presence') this.emit('presence', { agent: f.agent, status: f.status });
    });
    this.outbox.on('change', () => this.emit('outbox', undefined));
    this.outbox.on('acked', (a) => this.emit('acked', a));
  }

  send(body: Omit<SendBody, 'ref'> & { ref?: string; info?: FileInfo }): OutItem {
    if (body.conversation !== undefined) this.typedAt.delete(body.conversation);
    return this.outbox.add(body);
  }

  type(conversation: string): void {
    const now = Date.now();
    if (now - (this.typedAt.get(conversation) ?? 0) < 2_500) return;
    if (this.session.send({ type: 'typing', conversation })) this.typedAt.set(conversation, now);
  }

  read(conversation: string, seq: number): boolean {
    return this.session.send({ type: 'read', conversation, seq });
  }

  setStatus(status: AgentStatus): boolean {
    return this.session.send({ type: 'status', status });
  }
}
