// SPDX-License-Identifier: Apache-2.0
// A stand-in for the server that speaks the contract's frames and REST, with
// its "disk" in memory: down() forgets sockets, never what was acknowledged.
//   node test/fake-server.mjs [port]     then sign in as admin@yuelai.local / yuelai
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { rest } from './fake-rest.mjs';
import { serveFile } from './fake-files.mjs';
import { linksOf, serveMedia, takeUpload } from './fake-media.mjs';
import { OPENAI, script, WEB } from './fake-house.mjs';

let lastId = 0;
export const newId = (p) => p + (++lastId + 1e9).toString(36);

const BOT = { role: 'bot', id: 'bot1', name: '小悦' };

/** A developer's tool: welcomes and REST answers come up to so many ms late. */
const LATE = Number(process.env.YUELAI_E2E_LATE ?? 0);

/** What it says is of now, it arrives later. */
function late(res) {
  const { writeHead, end } = res;
  let head;
  res.writeHead = (...a) => ((head = a), res);
  res.end = (...a) => void setTimeout(() => (head && writeHead.apply(res, head), end.apply(res, a)), Math.random() * LATE);
  return res;
}

export class Fake {
  constructor(o = {}) {
    this.o = { heartbeat_ms: 15_000, ...o };
    this.sockets = new Set();
    this.journal = []; // events with pos
    this.convs = new Map();
    this.messages = new Map(); // conv -> []
    this.contacts = new Map();
    this.visitors = new Map(); // token -> contact id
    this.refs = new Map(); // sender+ref -> message
    this.cookies = new Map();
    this.requests = [];
    this.scripts = [script('rules/assign')];
    this.versions = new Map(); // script -> rows with sources, newest first
    this.flows = [];
    this.deads = [];
    this.outbox = [];
    this.traces = new Map(); // message -> jobs
    this.files = new Map(); // what people sent
    this.overLinks = 0; // so many signed links are over before they are used
    this.orders = []; // what was asked of scripts, flows, letters
    this.check = { ok: true };
    this.ready = true;
    this.hold = false; // take sends, ack nothing
    this.refuse = null; // (frame) => error frame
    this.epoch = 1;
    this.agents = new Map();
    this.addAgent('admin@yuelai.local', '林悦', 'admin');
    this.addAgent('qiang@yuelai.local', '阿强', 'agent');
    this.channel = { id: 'ch1', name: '官网', type: 'web', enabled: true, state: 'active', webhook_url: null, config: { title: '悦来小店', color: '', greeting: '', locale: 'auto' }, created_at: Date.now(), updated_at: Date.now() };
    this.channels = [this.channel];
    this.types = [WEB];
    this.connectors = [OPENAI];
    this.assistants = [];
    this.said = new Map(); // conversation -> { stream, text } of a bot's answer
    this.looked = 0; // so often an answer so far was asked for
    this.look = Promise.resolve(); // an answer to that is on its way until then
    this.confirms = []; // tools that wait for a word
    this.copilot = () => ({ pieces: ['您好，', '今天发货。'] }); // what it writes, when, or why not
  }

  addAgent(email, name, role) {
    const a = { id: newId('a'), email, name, role, status: 'offline', max_load: 8, load: 0, password: 'yuelai' };
    this.agents.set(a.id, a);
    return a;
  }

  async up(port = 0) {
    this.http = createServer((req, res) => {
      const path = req.url.split('?')[0];
      this.requests.push(req.method + ' ' + req.url);
      if (/^\/api\/v1\/files\/\w+$/.test(path)) return linksOf(this, req, res);
      if (path === '/api/v1/files' && req.method === 'POST') return void takeUpload(this, req, res);
      if (path.startsWith('/files/')) return serveMedia(this, req, res);
      if (path.startsWith('/api/v1/')) return rest(this, req, LATE ? late(res) : res);
      if (path === '/readyz') return res.writeHead(this.ready ? 200 : 503).end();
      if (path === '/healthz') return res.end('ok');
      if (/^\/chat\/[^/]+\/config$/.test(path)) return json(res, 200, this.channel);
      serveFile(req, res);
    });
    this.wss = new WebSocketServer({ server: this.http, path: '/ws' });
    this.wss.on('connection', (ws, req) => this.onSocket(ws, req));
    await new Promise((ok) => this.http.listen(port || this.port || 0, '127.0.0.1', ok));
    this.port = this.http.address().port;
    this.url = 'http://127.0.0.1:' + this.port;
    return this;
  }

  /** As kill -9: every socket is cut without a word. */
  async down() {
    for (const s of this.sockets) s.ws.terminate();
    this.sockets.clear();
    this.http.closeAllConnections();
    await new Promise((ok) => this.http.close(ok));
  }

  onSocket(ws, req) {
    const s = { ws, role: null, cookie: /yl=(\w+)/.exec(req.headers.cookie ?? '')?.[1] };
    this.sockets.add(s);
    ws.on('close', () => {
      this.sockets.delete(s);
      if (s.agent) this.presence(s.agent, this.live(s.agent.id).length ? s.agent.status : 'offline');
    });
    ws.on('message', (data) => {
      const f = JSON.parse(String(data));
      if (this.o.trace) console.log('>', String(data));
      if (LATE && f.type === 'hello') setTimeout(() => this.onFrame(s, f), Math.random() * LATE);
      else if (this.o.delay) setTimeout(() => this.onFrame(s, f), this.o.delay);
      else this.onFrame(s, f);
    });
  }

  send(s, f) {
    if (s.ws.readyState === 1) s.ws.send(JSON.stringify(f));
  }

  live(id) {
    return [...this.sockets].filter((s) => s.who?.id === id);
  }

  onFrame(s, f) {
    if (!s.who && f.type !== 'hello') return s.ws.close(4001);
    const on = this['on_' + f.type];
    if (on) on.call(this, s, f);
    else this.send(s, { type: 'error', ref: f.ref, code: 'bad_request', message: 'unknown type' });
  }

  on_hello(s, f) {
    if (f.channel !== undefined) this.helloVisitor(s, f);
    else if (!this.helloAgent(s, f)) return;
    const pos = f.resume === undefined ? -1 : this.parse(f.resume);
    const w = {
      type: 'welcome', session: newId('s'), you: s.who, token: s.token, cursor: this.cursor(), recovered: pos >= 0,
      heartbeat_ms: this.o.heartbeat_ms, server_at: Date.now(), limits: { text_bytes: 16384, file_bytes: this.o.file_bytes ?? 0, frames_per_s: 20, recall_ms: this.o.recall_ms ?? 120_000 },
    };
    const conv = s.role === 'visitor' && this.convOf(s.who.id);
    if (conv) w.conversation = { id: conv.id, state: conv.state, last_seq: conv.last_seq, queue: conv.state === 'queued' ? { position: 2, eta_ms: 120_000 } : undefined };
    this.send(s, w);
    const g = conv && conv.growing;
    if (pos >= 0) for (const e of this.journal) if (e.pos > pos && this.maySee(s, e)) this.send(s, e.frame);
    if (g) this.send(s, { type: 'delta', conversation: conv.id, stream: g.stream, index: g.index, text: g.text, whole: true, sender: BOT });
    if (s.role === 'agent') this.assignWaiting(s.agent);
  }

  helloVisitor(s, f) {
    let id = this.visitors.get(f.token);
    s.token = f.token;
    if (!id) {
      const n = this.contacts.size + 1;
      id = newId('c');
      s.token = 'tok' + id;
      this.contacts.set(id, { id, name: '访客 ' + n, email: null, phone: null, tier: null, tags: [], attributes: {}, created_at: Date.now() });
      this.visitors.set(s.token, id);
    }
    s.role = 'visitor';
    s.who = { role: 'visitor', id, name: this.contacts.get(id).name };
  }

  helloAgent(s, f) {
    const a = this.agents.get(this.cookies.get(s.cookie));
    if (!a) {
      s.ws.close(4003);
      return false;
    }
    s.role = 'agent';
    s.agent = a;
    s.who = { role: 'agent', id: a.id, name: a.name };
    this.presence(a, f.status ?? a.status);
    return true;
  }

  presence(a, status) {
    a.status = status;
    for (const s of this.sockets) if (s.role === 'agent') this.send(s, { type: 'presence', agent: a.id, status });
  }

  cursor(pos = this.journal.length) {
    return `e${this.epoch}.${pos}`;
  }
  parse(c) {
    const m = /^e(\d+)\.(\d+)$/.exec(c);
    return m && Number(m[1]) === this.epoch ? Number(m[2]) : -1;
  }

  maySee(s, e) {
    if (s.role === 'agent') return true;
    const conv = this.convs.get(e.frame.conversation);
    return conv && conv.contact === s.who.id && !e.frame.data.private;
  }

  event(name, conversation, data, except) {
    const pos = this.journal.length + 1;
    const frame = { type: 'event', event: name, cursor: this.cursor(pos), at: Date.now(), conversation, data: structuredClone(data) };
    const e = { pos, frame };
    this.journal.push(e);
    for (const s of this.sockets) if (s !== except && s.who && this.maySee(s, e)) this.send(s, frame);
    return frame.cursor;
  }

  convOf(contact) {
    return [...this.convs.values()].filter((c) => c.contact === contact).pop();
  }

  openConv(contact) {
    let c = this.convOf(contact);
    if (c && c.state !== 'closed') return c;
    const at = Date.now();
    c = {
      id: newId('v'), channel: this.channel.id, channel_type: 'web', contact, contact_name: this.contacts.get(contact).name, state: 'queued',
      assignee: null, team: null, priority: 0, tags: [], last_seq: 0, unread: 0, waiting_since_at: at, created_at: at, updated_at: at, preview: '',
    };
    this.convs.set(c.id, c);
    this.messages.set(c.id, []);
    this.event('conversation.created', c.id, c);
    const free = [...this.agents.values()].find((a) => a.status === 'online' && this.live(a.id).length);
    if (free) this.assign(c, free);
    return c;
  }

  assign(c, a) {
    c.assignee = a ? a.id : null;
    c.state = a ? 'open' : 'queued';
    this.event('conversation.assigned', c.id, c);
  }

  giveBot(c, assistant) {
    Object.assign(c, { assignee: null, state: 'bot', assistant });
    this.event('conversation.assigned', c.id, c);
  }

  assignWaiting(a) {
    if (a.status === 'online' && !this.o.keepQueue) for (const c of this.convs.values()) if (c.state === 'queued') this.assign(c, a);
  }

  infoOf(id) {
    const { bytes: _, ...info } = this.files.get(id);
    return info;
  }

  /** Stores and delivers; returns the ack. */
  store(who, conv, f, socket) {
    const key = who.id + ' ' + f.ref;
    const known = f.ref && this.refs.get(key);
    if (known) return { ...known, duplicate: true };
    const list = this.messages.get(conv.id);
    const m = { ...f.more, id: newId('m'), seq: ++conv.last_seq, kind: f.kind, text: f.text, file: typeof f.file === 'string' ? this.infoOf(f.file) : f.file, sender: who, ref: f.ref, at: Date.now(), private: f.private, stream: f.stream };
    list.push(m);
    if (who.role === 'visitor' || f.stream) this.said.delete(conv.id); // over
    conv.updated_at = m.at;
    if (!m.private) conv.preview = m.text || `[${m.kind}]${m.file?.name ? ' ' + m.file.name : ''}`;
    if (who.role === 'visitor') {
      conv.unread++;
      conv.waiting_since_at ??= m.at;
    } else if (who.role === 'agent' && !m.private) {
      conv.unread = 0;
      conv.waiting_since_at = null;
    }
    const cursor = this.event('message.created', conv.id, m, socket);
    const ack = { type: 'ack', ref: f.ref, conversation: conv.id, id: m.id, seq: m.seq, at: m.at, cursor };
    if (f.ref) this.refs.set(key, ack);
    return ack;
  }

  on_send(s, f) {
    if (this.refuse) {
      const e = this.refuse(f);
      if (e) return this.send(s, { type: 'error', ref: f.ref, ...e });
    }
    if (this.hold) return;
    const conv = s.role === 'visitor' ? this.openConv(s.who.id) : this.convs.get(f.conversation);
    if (!conv) return this.send(s, { type: 'error', ref: f.ref, code: 'not_found', message: 'no such conversation' });
    const ack = this.store(s.who, conv, f, s);
    if (!this.swallowAcks) this.send(s, ack);
  }

  on_typing(s, f) {
    const id = s.role === 'visitor' ? this.convOf(s.who.id)?.id : f.conversation;
    const conv = this.convs.get(id);
    if (!conv) return;
    for (const o of this.sockets) {
      if (o === s || !o.who) continue;
      if (o.role === 'agent') this.send(o, { type: 'typing', conversation: id, who: s.who, text: s.role === 'visitor' ? f.text : undefined });
      else if (o.who.id === conv.contact) this.send(o, { type: 'typing', conversation: id, who: s.who });
    }
  }

  on_read(s, f) {
    const conv = s.role === 'visitor' ? this.convOf(s.who.id) : this.convs.get(f.conversation);
    if (!conv) return;
    if (s.role === 'agent') conv.unread = Math.max(0, conv.last_seq - f.seq);
    this.event('message.status', conv.id, { seq: f.seq, status: 'read', by: { role: s.role, id: s.who.id } }, s);
  }

  on_ping(s, f) {
    if (!this.deaf) this.send(s, { type: 'pong', ref: f.ref });
  }

  /** Ends the stream that `grow` began, with what there is. */
  on_stop(s) {
    const conv = this.convOf(s.who.id);
    if (!conv?.growing) return this.send(s, { type: 'error', code: 'conflict', message: 'nothing is being answered' });
    this.end(conv, conv.growing.text, { cut: 'stopped' });
  }

  on_watch(s, f) {
    this.watched = f.conversation;
  }

  on_status(s, f) {
    if (s.agent) this.presence(s.agent, f.status);
  }

  on_history(s, f) {
    const conv = s.role === 'visitor' ? this.convOf(s.who.id) : this.convs.get(f.conversation);
    const all = (conv ? this.messages.get(conv.id) : []).filter((m) => s.role === 'agent' || !m.private);
    const upto = f.before ? all.filter((m) => m.seq < f.before) : all;
    const items = upto.slice(-Math.min(f.limit ?? 50, 100));
    this.send(s, { type: 'history', ref: f.ref, conversation: conv?.id, items, more: items.length < upto.length });
  }

  // --- for tests -----------------------------------------------------------

  /** A visitor without a browser says something. */
  say(text, token = 'bot') {
    let id = this.visitors.get(token);
    if (!id) {
      id = newId('c');
      this.visitors.set(token, id);
      this.contacts.set(id, { id, name: token, email: token + '@example.com', phone: '138 0013 8000', tier: 'VIP', tags: [], attributes: { 城市: '杭州' }, created_at: Date.now() });
    }
    const conv = this.openConv(id);
    this.store({ role: 'visitor', id, name: this.contacts.get(id).name }, conv, { kind: 'text', text, ref: newId('r') });
    return conv;
  }

  /** Of the message only who said it is left; false: its channel cannot. */
  recall(conv, id, by, role = 'agent') {
    const m = this.messages.get(conv.id).find((x) => x.id === id);
    if (this.o.no_recall) return false;
    const left = { recalled: true, recalled_at: Date.now(), recalled_by: { role, id: by.id, name: by.name } };
    for (const k of ['text', 'file']) delete m[k];
    Object.assign(m, left);
    this.event('message.updated', conv.id, { id, seq: m.seq, ...left });
    return true;
  }

  /** What a platform made of one of our messages. */
  status(conv, seq, status, reason) {
    const m = this.messages.get(conv.id).find((x) => x.seq === seq);
    this.event('message.status', conv.id, { seq, status, reason, outbox: this.outbox.find((o) => o.message === m.id)?.id });
  }

  /** A message with a file (fake-media.mjs makes them); `text` may go with it. */
  attach(conv, kind, file, o = {}) {
    const { bytes, ...info } = file;
    if (bytes) this.files.set(info.id, file);
    const a = [...this.agents.values()][0];
    const who = o.visitor ? { role: 'visitor', id: conv.contact, name: conv.contact_name } : { role: 'agent', id: a.id, name: a.name };
    return this.store(who, conv, { kind, text: o.text, file: info, ref: newId('r') });
  }

  /** A piece of a bot's answer. */
  delta(conv, stream, index, text) {
    const now = this.said.get(conv.id);
    this.said.set(conv.id, { stream, text: (now?.stream === stream ? now.text : '') + text });
    for (const s of this.sockets) if (s.who && (s.role === 'agent' || s.who.id === conv.contact)) this.send(s, { type: 'delta', conversation: conv.id, stream, index, text });
  }

  /** A piece of a bot's answer, to its visitor. */
  grow(conv, text) {
    conv.state = 'bot';
    const g = (conv.growing ??= { stream: newId('st'), index: -1, text: '' });
    g.index++;
    g.text += text;
    for (const s of this.live(conv.contact)) this.send(s, { type: 'delta', conversation: conv.id, stream: g.stream, index: g.index, text, sender: g.index ? undefined : BOT });
  }

  /** The message an answer comes to. */
  end(conv, text, more = {}) {
    const { stream } = conv.growing;
    conv.growing = null;
    return this.answer(conv, text, { bot: true, stream, more: { format: 'markdown', ...more } });
  }

  answer(conv, text, o = {}) {
    const a = o.by ?? [...this.agents.values()][1];
    const who = o.bot ? BOT : { role: 'agent', id: a.id, name: a.name };
    return this.store(o.who ?? who, conv, { kind: 'text', text, ref: newId('r'), private: o.private, stream: o.stream, more: o.more });
  }
}

export function json(res, status, body, headers = {}) {
  res.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store', ...headers });
  res.end(JSON.stringify(body));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const f = await new Fake({ trace: process.env.TRACE }).up(Number(process.argv[2] ?? 8090));
  console.log('listening on ' + f.url);
}
