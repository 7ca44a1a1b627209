// SPDX-License-Identifier: Apache-2.0
// The REST the console uses, over the fake's memory.
import { house } from './fake-house.mjs';
import { json } from './fake-server.mjs';

const bad = (res, status, code, message) => json(res, status, { error: { code, message } });
const pub = ({ password: _, ...a }) => a;

function page(res, items, q) {
  const limit = Math.min(100, Number(q.get('limit') ?? 20));
  const offset = Number(q.get('offset') ?? 0);
  json(res, 200, { items: items.slice(offset, offset + limit), total: items.length, next: null });
}

function conversations(f, me, q) {
  let all = [...f.convs.values()];
  if (q.get('state')) all = all.filter((c) => c.state === q.get('state'));
  const who = q.get('assignee');
  if (who) all = all.filter((c) => c.assignee === (who === 'me' ? me.id : who === 'none' ? null : who));
  const needle = (q.get('q') ?? '').toLowerCase();
  if (needle) all = all.filter((c) => (c.contact_name + c.preview).toLowerCase().includes(needle));
  if (q.get('sort') === 'waiting') return all.sort((a, b) => (a.waiting_since_at ?? Infinity) - (b.waiting_since_at ?? Infinity));
  return all.sort((a, b) => b.updated_at - a.updated_at);
}

function messages(f, res, id, q) {
  const status = { waiting: 'waiting', sent: 'sent', dead: 'failed' };
  const all = f.messages.get(id).map((m) => {
    const o = f.outbox.find((x) => x.message === m.id);
    return o ? { ...m, delivery: { status: status[o.state], outbox: o.id, reason: o.reason } } : m;
  });
  const limit = Math.min(100, Number(q.get('limit') ?? 20));
  if (q.has('after')) {
    const rest = all.filter((m) => m.seq > Number(q.get('after')));
    return json(res, 200, { items: rest.slice(0, limit), next: rest.length > limit ? String(rest[limit - 1].seq) : null });
  }
  const before = q.get('before') === 'end' || !q.has('before') ? Infinity : Number(q.get('before'));
  const items = all.filter((m) => m.seq < before).slice(-limit);
  json(res, 200, { items, next: items[0]?.seq > 1 ? String(items[0].seq) : null });
}

function act(f, res, me, c, action, body) {
  if (action === 'close') {
    c.state = 'closed';
    c.waiting_since_at = null;
    f.event('conversation.closed', c.id, c);
  } else if (action === 'reopen') {
    f.assign(c, me);
  } else if (action === 'assign') {
    f.assign(c, f.agents.get(body.agent));
  } else if (action === 'transfer') {
    if (body.note) f.store({ role: 'agent', id: me.id, name: me.name }, c, { kind: 'text', text: body.note, private: true });
    if (body.assistant) f.giveBot(c, body.assistant);
    else f.assign(c, body.queue ? null : f.agents.get(body.agent));
  } else if (action === 'stop') {
    f.orders.push('stop ' + c.id);
    if (!f.answering) return bad(res, 409, 'conflict', 'nothing is being answered');
    f.answering();
    return json(res, 200, { stopped: true });
  } else if (action === 'messages') {
    const { type: _, ...ack } = f.store({ role: 'agent', id: me.id, name: me.name }, c, body);
    return json(res, 201, ack);
  } else return bad(res, 404, 'not_found', 'no such action');
  json(res, 200, c);
}

/** What a model writes for one agent: pieces to their sockets, the whole as the answer. */
async function copilot(f, res, me, c, body) {
  if (['rewrite', 'translate'].includes(body.task) && !body.text) return bad(res, 422, 'unprocessable', 'text is missing');
  if (!f.assistants.some((a) => a.enabled)) return bad(res, 503, 'unavailable', 'there is no such assistant');
  f.orders.push(['copilot', body.task, body.wish, body.text, body.assistant].filter(Boolean).join(' '));
  const { pieces, wait, error } = f.copilot(body);
  pieces?.forEach((text, index) => f.live(me.id).forEach((s) => f.send(s, { type: 'delta', conversation: c.id, stream: body.stream, index, text })));
  await wait;
  if (error) return bad(res, 503, 'unavailable', error);
  json(res, 200, { text: pieces.join(''), assistant: body.assistant ?? f.assistants[0].name, usage: {} });
}

/** What a bot is saying, and its tools that wait: for who looks on. */
function lookOn(f, res, me, c, action, id, method, body, q) {
  if (action === 'answer') {
    const a = { state: c.state, assistant: c.assistant ?? '', last_seq: c.last_seq, ...f.said.get(c.id) };
    f.looked++;
    return void f.look.then(() => json(res, 200, a));
  }
  if (method === 'GET') return page(res, f.confirms.filter((x) => x.conversation === c.id), q);
  const x = f.confirms.find((y) => y.id === id);
  if (x.by !== 'agent' || x.hash !== body.hash || x.state !== 'pending') return bad(res, 409, 'conflict', 'it has been decided, or is over');
  f.orders.push(`${body.approve ? 'approve' : 'deny'} ${x.id}`);
  Object.assign(x, { state: body.approve ? 'approved' : 'denied', decided_by: me.id });
  json(res, 200, { id: x.id, state: x.state });
}

async function readBody(req) {
  let s = '';
  for await (const part of req) s += part;
  return s ? JSON.parse(s) : {};
}

function login(f, res, body) {
  const a = [...f.agents.values()].find((x) => x.email === body.email && x.password === body.password);
  if (!a) return bad(res, 401, 'unauthorized', 'wrong e-mail or password');
  const token = 't' + Math.random().toString(36).slice(2);
  f.cookies.set(token, a.id);
  json(res, 200, { token, agent: pub(a), expires_at: Date.now() + 864e5 }, { 'Set-Cookie': `yl=${token}; HttpOnly; SameSite=Strict; Path=/` });
}

export async function rest(f, req, res) {
  const url = new URL(req.url, 'http://x');
  const [, , , kind, id, action] = url.pathname.split('/');
  const q = url.searchParams;
  const body = req.method === 'GET' ? {} : await readBody(req);
  if (f.restDelay) await new Promise((r) => setTimeout(r, f.restDelay));
  if (f.restFails) return bad(res, 503, 'unavailable', 'the store is away');
  if (req.method !== 'GET' && req.headers['x-yuelai'] !== '1') return bad(res, 403, 'forbidden', 'the guard header is missing');
  if (kind === 'login') return login(f, res, body);
  const token = /yl=(\w+)/.exec(req.headers.cookie ?? '')?.[1];
  const me = f.agents.get(f.cookies.get(token));
  if (!me) return bad(res, 401, 'unauthorized', 'please sign in');
  if (kind === 'logout') {
    f.cookies.delete(token);
    return json(res, 200, {}, { 'Set-Cookie': 'yl=; Max-Age=0; Path=/' });
  }
  if (kind === 'me') {
    if (body.status) f.presence(me, body.status);
    return json(res, 200, pub(me));
  }
  if (kind === 'agents') return page(res, [...f.agents.values()].map(pub), q);
  const rank = ['agent', 'supervisor', 'admin'].indexOf(me.role);
  if (house(f, res, { method: req.method, rank, parts: url.pathname.split('/').slice(3).map(decodeURIComponent), q, body, page, bad })) return;
  if (kind === 'contacts') {
    const c = f.contacts.get(id);
    if (!c) return bad(res, 404, 'not_found', 'no such contact');
    if (req.method === 'PATCH') Object.assign(c, body);
    return json(res, 200, c);
  }
  if (kind === 'conversations' && !id) return page(res, conversations(f, me, q), q);
  const c = kind === 'conversations' && f.convs.get(id);
  if (!c) return bad(res, 404, 'not_found', 'no such conversation');
  if (!action) return json(res, 200, c);
  if (action === 'messages' && req.method === 'GET') return messages(f, res, id, q);
  if (action === 'messages' && url.pathname.endsWith('/recall')) return f.recall(c, url.pathname.split('/')[6], me) ? json(res, 200, {}) : bad(res, 415, 'unsupported', 'this channel cannot take back what it has sent');
  if (action === 'answer' || action === 'confirmations') return lookOn(f, res, me, c, action, url.pathname.split('/')[6], req.method, body, q);
  if (action === 'copilot') return copilot(f, res, me, c, body);
  act(f, res, me, c, action, body);
}
