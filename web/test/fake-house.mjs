// SPDX-License-Identifier: Apache-2.0
// The house's own REST, over the fake's memory: scripts, flows, dead letters,
// outbox, traces, channels. Shapes as the C program answers them.
import { json } from './fake-server.mjs';

export function script(name, more = {}) {
  return {
    name, kind: name.startsWith('flows/') ? 'flow' : 'rule', state: 'serving', version: '0acca1f229ec', priority: 50, loaded_at: Date.now() - 60_000, note: '',
    canary: null, pin: false, pinned: [], calls: 12, failures: 0, kills: 0, cpu_us: 1440, memory_bytes: 152_632, in_flight: 0,
    limits: { cpu_ms: 50, wall_ms: 30_000, memory_bytes: 33_554_432, http: 50, effects: 50 }, errors: [], ...more,
  };
}

export const WEB = { type: 'web', title: { zh: '网页', en: 'Web' }, state: 'active', schema: { title: { type: 'string', title: { zh: '标题', en: 'Title' } } } };

export const ACME = {
  type: 'acme', title: { zh: '阿克米', en: 'Acme' }, state: 'active',
  schema: {
    size: { type: 'integer', title: { zh: '大小', en: 'Size' } },
    url: { type: 'string', required: true, title: { zh: '地址', en: 'Address' }, help: { zh: '平台接口的地址', en: 'Of the interface' } },
    key: { type: 'secret', required: true, title: { zh: '密钥', en: 'Key' } },
    spare: { type: 'secret', title: { zh: '备用密钥', en: 'Spare key' } },
    mode: { type: 'choice', choices: ['plain', 'safe'], title: { zh: '模式', en: 'Mode' } },
    loud: { type: 'boolean', title: { zh: '提示音', en: 'Loud' } },
    plain: 'string',
  },
};

const side = (conversations, calls, errors, us) => ({ conversations, calls, errors, kills: 0, us, handovers: 2 });
export const canary = (errors = 0) => ({ version: '45b12d63a380', share: 20, since_at: Date.now() - 3_600_000, conversations: 200, stable: side(160, 400, 2, 40_000), canary: side(40, 100, errors, 11_000) });

export function flow(conv, more = {}) {
  const at = Date.now() - 30_000;
  return {
    id: 'fl_1', script: 'flows/refund', version: 'be7f70bdd95a', conversation: conv, contact: null, state: 'waiting', due_at: Date.now() + 1_800_000, step: 3, attempts: 0, error: null,
    args: { said: '退款' },
    view: {
      waits: 'reply 30m', step: 'reply 请问订单号？',
      saga: { name: 'refund', state: 'compensating', steps: [{ name: 'freeze', state: 'undoing', attempts: 2 }, { name: 'pay', state: 'failed', attempts: 3, error: 'the bank said no' }, { name: 'tell', state: 'waiting', attempts: 0 }] },
    },
    log: [
      { k: 'start', n: '', at, v: [{ state: 'bot' }] },
      { k: 'reply', n: '请问订单号？', at: at + 1000, v: [{ id: 'm_1', seq: 2, kind: 'text', text: 'A-17', sender: { role: 'visitor', id: 'c' } }] },
      { k: 'saga', n: 'refund/freeze', at: at + 1100, v: [{ hold: 1 }] },
      { k: 'saga', n: 'refund/pay', t: 2, at: at + 3000, v: [null, 'no_money', 'the bank said no'] },
      { k: 'undo', n: 'refund/freeze', due: Date.now() + 5000 },
    ],
    created_at: at, updated_at: at + 3000, ...more,
  };
}

const STATES = { reload: {}, enable: { state: 'serving' }, disable: { state: 'off' }, promote: { canary: null }, abort: { canary: null }, rollback: { state: 'rolled_back' } };

function scripts(f, res, { method, rank, parts, q, body, page, bad }) {
  if (parts.length === 1) return page(res, f.scripts, q);
  const s = f.scripts.find((x) => x.name === parts[1] + '/' + parts[2].replaceAll(':', '/'));
  const versions = s && (f.versions.get(s.name) ?? []);
  if (!s) return bad(res, 404, 'not_found', 'script not found');
  if (method === 'GET') {
    if (parts[3] === undefined) return json(res, 200, s);
    if (parts[4] === undefined) return page(res, versions.map(({ sources: _, ...v }) => v), q);
    const v = versions.find((x) => x.version === parts[4]);
    return v ? json(res, 200, v) : bad(res, 404, 'not_found', 'version not found');
  }
  if (rank < 1) return bad(res, 403, 'forbidden', 'not for agents');
  f.orders.push(`${parts[3]} ${s.name}${body.version ? ' ' + body.version : ''}`);
  if (f.refuseOrder) return bad(res, 422, 'unprocessable', f.refuseOrder);
  if (parts[3] === 'promote') s.version = s.canary.version;
  if (parts[3] === 'rollback') s.version = body.version ?? versions.find((v) => v.state === 'old').version;
  Object.assign(s, STATES[parts[3]]);
  json(res, 200, s);
}

function flows(f, res, { method, rank, parts, q, page, bad }) {
  if (rank < 1 && !q.get('conversation')) return bad(res, 403, 'forbidden', 'say of which conversation');
  if (parts.length === 1) {
    const fits = (x) => ['state', 'script', 'conversation'].every((k) => !q.get(k) || x[k] === q.get(k));
    return page(res, f.flows.filter(fits).map(({ log: _, ...x }) => x), q);
  }
  const x = f.flows.find((y) => y.id === parts[1]);
  if (!x) return bad(res, 404, 'not_found', 'flow not found');
  if (method === 'POST') {
    f.orders.push('cancel ' + x.id);
    Object.assign(x, { state: 'cancelled', due_at: null });
  }
  json(res, 200, x);
}

function deads(f, res, { method, rank, parts, q, page, bad }) {
  if (rank < 1) return bad(res, 403, 'forbidden', 'not for agents');
  if (parts.length === 1) return page(res, f.deads, q);
  const d = f.deads.find((x) => x.id === parts[1]);
  if (!d) return bad(res, 404, 'not_found', 'dead letter not found');
  if (method === 'POST') {
    f.orders.push('run ' + d.id);
    if (d.stays) return bad(res, 409, 'conflict', 'its flow does not wait to be run again');
  } else f.orders.push('drop ' + d.id);
  f.deads = f.deads.filter((x) => x !== d);
  if (method === 'POST') return json(res, 202, d);
  res.writeHead(204).end();
}

function outbox(f, res, { method, rank, parts, q, page, bad }) {
  if (rank < 1 && method === 'GET') return bad(res, 403, 'forbidden', 'not for agents');
  if (method === 'GET') return page(res, f.outbox.filter((o) => ['state', 'conversation', 'channel'].every((k) => !q.get(k) || o[k] === q.get(k))), q);
  const o = f.outbox.find((x) => x.id === parts[1]);
  if (!o || o.state !== 'dead') return bad(res, 409, 'conflict', 'only a dead message can be sent again');
  f.orders.push('resend ' + o.id);
  Object.assign(o, { state: 'waiting', reason: '' });
  json(res, 202, { id: o.id, state: 'waiting' });
}

function shown(f, c) {
  const type = f.types.find((t) => t.type === c.type);
  const secret = (k) => type?.schema[k]?.type === 'secret';
  return { ...c, config: Object.fromEntries(Object.entries(c.config).map(([k, v]) => [k, secret(k) ? '***' : v])) };
}

function merge(c, given, type, bad, res) {
  const config = { ...c.config };
  for (const [k, v] of Object.entries(given ?? {})) {
    if (v === null || v === '') delete config[k];
    else if (v !== '***') config[k] = v;
  }
  const gone = Object.keys(type.schema).find((k) => type.schema[k].required && !config[k]);
  if (gone) return bad(res, 422, 'unprocessable', `config.${gone} is missing`);
  if (config.url === 'nonsense') return json(res, 422, { error: { code: 'unprocessable', message: 'config.url is no address', field: 'config.url' } });
  c.config = config;
  return null;
}

function channels(f, res, { method, rank, parts, q, body, page, bad }) {
  if (parts[1] === 'types') return page(res, f.types, q);
  if (method !== 'GET' && rank < 2) return bad(res, 403, 'forbidden', 'for admins');
  if (parts.length === 1 && method === 'GET') return page(res, f.channels.map((c) => shown(f, c)), q);
  if (parts.length === 1) {
    const type = f.types.find((t) => t.type === body.type);
    const id = 'ch_' + (f.channels.length + 1);
    const c = { id, type: body.type, name: body.name ?? type.title.en, enabled: true, state: type.state, webhook_url: '/hooks/' + id, config: {}, created_at: Date.now(), updated_at: Date.now() };
    if (merge(c, body.config, type, bad, res) === null) {
      f.channels.push(c);
      json(res, 201, shown(f, c));
    }
    return;
  }
  const c = f.channels.find((x) => x.id === parts[1]);
  if (!c) return bad(res, 404, 'not_found', 'channel not found');
  if (parts[2] === 'check') return json(res, 200, f.check);
  if (method === 'DELETE') {
    f.channels = f.channels.filter((x) => x !== c);
    return res.writeHead(204).end();
  }
  if (method === 'PATCH') {
    f.orders.push('patch ' + JSON.stringify(body));
    if (body.config && merge(c, body.config, f.types.find((t) => t.type === c.type), bad, res) !== null) return;
    if (body.name) c.name = body.name;
    if (body.enabled !== undefined) Object.assign(c, { enabled: body.enabled, state: body.enabled ? 'active' : 'disabled' });
    c.updated_at = Date.now();
  }
  json(res, 200, shown(f, c));
}

export const OPENAI = {
  type: 'openai', title: { zh: 'OpenAI 兼容', en: 'OpenAI-compatible' }, capabilities: { stream: true },
  schema: {
    provider: { type: 'choice', required: true, choices: ['deepseek', 'other'], title: { zh: '服务商', en: 'Provider' } },
    key: { type: 'secret', title: { zh: 'API Key', en: 'API key' } },
    model: { type: 'string', required: true, title: { zh: '模型', en: 'Model' } },
  },
};

export function assistant(name, more = {}) {
  return {
    id: 'as_' + name, name, type: 'openai', config: { provider: 'deepseek', key: 'sk-very-secret', model: 'deepseek-chat' }, enabled: true, state: 'active', breaker: 'closed', under_way: 0, waiting: 0, trouble: '',
    today: { input: 1200, output: 34, cached: 1000, cost: 0.001002, cost_micro: 1002, currency: 'CNY', turns: 3 }, kept: { hits: 3, misses: 1 }, created_at: 1, updated_at: 1, ...more,
  };
}

const SETTINGS = ['fallback', 'prompt', 'limits', 'timeout', 'price', 'cache', 'tools', 'guard'];

/** As the C program: a setting is replaced as a whole, null takes it away. */
function assistants(f, res, { method, rank, parts, q, body, page, bad }) {
  if (parts[1] === 'types') return page(res, f.connectors, q);
  const show = (a) => ({ ...a, config: { ...a.config, ...(a.config.key ? { key: '***' } : {}) } });
  if (parts.length === 1 && method === 'GET') return page(res, f.assistants.map(show), q);
  if (method !== 'GET' && rank < 2) return bad(res, 403, 'forbidden', 'for admins');
  const wrong = (field, message) => json(res, 422, { error: { code: 'unprocessable', message, field } });
  const put = (a, status) => {
    if (body.limits?.patience === 'soon') return wrong('patience', 'patience must be an amount, or a duration such as "15s"');
    for (const k of SETTINGS) if (k in body) body[k] === null ? delete a[k] : (a[k] = body[k]);
    for (const [k, v] of Object.entries(body.config ?? {})) v === null ? delete a.config[k] : v !== '***' && (a.config[k] = v);
    if (body.name) a.name = body.name;
    if (body.enabled !== undefined) Object.assign(a, { enabled: body.enabled, state: body.enabled ? 'active' : 'disabled' });
    a.updated_at = Date.now();
    if (status === 201) f.assistants.push(a);
    json(res, status, show(a));
  };
  if (parts.length === 1) {
    if (f.assistants.some((a) => a.name === body.name)) return json(res, 409, { error: { code: 'conflict', message: 'another assistant has this name', field: 'name' } });
    return put(assistant(body.name, { type: body.type, config: {} }), 201);
  }
  const a = f.assistants.find((x) => x.id === parts[1]);
  if (!a) return bad(res, 404, 'not_found', 'assistant not found');
  if (method === 'GET') return json(res, 200, show(a));
  f.orders.push([method.toLowerCase(), a.name, parts[2], Object.keys(body).length ? JSON.stringify(body) : ''].filter(Boolean).join(' '));
  if (parts[2] === 'check') return json(res, 200, f.check);
  if (parts[2] === 'forget') return json(res, 200, { forgotten: 1 });
  if (method === 'PATCH') return put(a, 200);
  f.assistants = f.assistants.filter((x) => x !== a);
  res.writeHead(204).end();
}

function trace(f, res, { parts, bad }) {
  for (const [conv, list] of f.messages) {
    const m = list.find((x) => x.id === parts[1]);
    if (m) return json(res, 200, { conversation: conv, state: f.convs.get(conv).state, message: m, jobs: [], caused: [], cut: false, delivery: { to: 'agent', holder: null, read: false, sockets: 0, why_not: 'nobody is connected' }, ...f.traces.get(m.id) });
  }
  bad(res, 404, 'not_found', 'message not found');
}

const KINDS = { scripts, flows, 'dead-letters': deads, outbox, channels, assistants, messages: trace };

/** True when the path was one of these. */
export function house(f, res, o) {
  const run = KINDS[o.parts[0]];
  if (!run) return false;
  run(f, res, o);
  return true;
}
