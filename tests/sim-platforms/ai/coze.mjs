// SPDX-License-Identifier: Apache-2.0
// Coze's v3 chat of one bot, as api.coze.cn serves it: PAT or a token bought with
// a signed JWT, "event:" and "data:" without blanks, requires_action, cancel.
import { createVerify, randomBytes } from 'node:crypto';
import { Stream, json, plain_fault, serve, spoken, tokens } from '../lib/model.mjs';

const says = (code, msg, status = 200) => [status, { code, msg, detail: { logid: '2029' } }, { 'x-tt-logid': '2029' }];
const errors = (kind) => ({
  rate_limited: says(4013, 'Request frequency has exceeded the limit', 429),
  overloaded: says(5000, 'internal service error', 503),
  server_error: says(5000, 'internal service error', 500),
  unauthorized: says(4100, 'authentication is invalid', 401),
  error_200: says(5000, 'internal service error'),
  too_long: says(4000, 'the input exceeds the context length of the model'),
  refused: says(700099, 'the content is sensitive'),
})[kind];

const part = (text) => JSON.parse(Buffer.from(text, 'base64url').toString());

function token_for(call, sim) {
  const s = sim.settings;
  try {
    const [head, claims, signature] = /^Bearer (.+)$/.exec(call.headers.authorization)[1].split('.');
    const v = createVerify('RSA-SHA256').update(`${head}.${claims}`);
    const c = part(claims);
    const now = Date.now() / 1000;
    const good = part(head).alg === 'RS256' && part(head).kid === s.key_id && v.verify(s.public_key, signature, 'base64url');
    if (!good || c.iss !== s.app_id || c.exp < now || c.iat > now + 60 || String(c.jti).length < 16 || sim.jti.has(c.jti)) throw new Error('jwt');
    if (call.body?.grant_type !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') throw new Error('grant');
    sim.jti.add(c.jti);
    const life = call.body.duration_seconds ?? 900;
    const token = 'at_' + randomBytes(12).toString('hex');
    sim.tokens.set(token, now + life);
    return [200, { access_token: token, expires_in: Math.floor(now + life), token_type: 'Bearer' }];
  } catch {
    return [401, { error_code: 'invalid_client', error_message: 'The JWT is not valid' }];
  }
}

function is_known(call, sim) {
  const token = /^Bearer (.+)$/.exec(call.headers.authorization ?? '')?.[1];
  return token === sim.settings.token || (sim.tokens.get(token) ?? 0) > Date.now() / 1000;
}

async function talk(res, sim, fault, chat, prompt) {
  const s = new Stream(res, fault);
  const say = (event, data) => s.say(`event:${event}\ndata:${JSON.stringify(data)}\n\n`);
  const head = (status, more) => ({ id: chat.id, conversation_id: chat.conversation, bot_id: chat.bot, created_at: 1_900_000_000, last_error: { code: 0, msg: '' }, status, ...more });
  const message = (type, content, id) => ({ id, conversation_id: chat.conversation, bot_id: chat.bot, role: 'assistant', type, content, content_type: 'text', chat_id: chat.id });
  const close = async () => {
    await s.say('event:done\ndata:"[DONE]"\n\n');
    sim.running.delete(chat.conversation);
    s.end();
  };
  const answer = sim.next(prompt);
  const text = typeof answer === 'string' ? answer : answer.text ?? '';
  sim.running.set(chat.conversation, { chat: chat.id, stop: () => ((s.gone = true), res.end()) });
  // Who hangs up does not end the run; a cancel does, and it ends by itself.
  setTimeout(() => sim.running.delete(chat.conversation), sim.settings.run_ms ?? 2000).unref();
  await s.open();
  await say('conversation.chat.created', head('created'));
  await say('conversation.chat.in_progress', head('in_progress'));
  if (fault?.fault === 'long_line') {
    for (let i = 0; i < (fault.bytes ?? 2 << 20) && (await s.say('x'.repeat(16384))); i += 16384);
    return s.end();
  }
  if (fault?.fault === 'wrong_types') await say('conversation.message.delta', message('answer', 7, 'm0'));
  for (const piece of spoken(text, fault)) if (!(await say('conversation.message.delta', message('answer', piece, 'm1')))) return s.end();
  if (fault?.fault === 'invalid_utf8') await s.say(Buffer.concat([Buffer.from('event:conversation.message.delta\ndata:{"type":"answer","content":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n\n')]));
  if (fault?.fault === 'half_json') await s.say('event:conversation.message.delta\ndata:{"type":"ans');
  if (['half_json', 'half_stream'].includes(fault?.fault)) return s.end();
  if (fault?.fault === 'error_event') {
    await say('conversation.chat.failed', head('failed', { last_error: { code: 5000, msg: 'event interval error' } }));
    return close();
  }
  const usage = { token_count: tokens(prompt) + tokens(text), output_count: tokens(text), input_count: tokens(prompt) };
  if (answer.tools) {
    const tool_calls = answer.tools.map((t, i) => ({ id: `call_${chat.id}_${i}`, type: 'function', function: { name: t.name, arguments: JSON.stringify(t.arguments ?? {}) } }));
    sim.waiting.set(chat.id, tool_calls.map((c) => c.id));
    await say('conversation.chat.requires_action', head('requires_action', { required_action: { type: 'submit_tool_outputs', submit_tool_outputs: { tool_calls } } }));
    return close();
  }
  if (text) await say('conversation.message.completed', message('answer', text, 'm1'));
  await say('conversation.message.completed', message('follow_up', 'Anything else?', 'm2'));
  await say('conversation.message.completed', message('verbose', '{"msg_type":"generate_answer_finish","data":""}', 'm3'));
  sim.tell({ input: usage.input_count, output: usage.output_count });
  await say('conversation.chat.completed', head('completed', { usage }));
  return close();
}

async function answer(call, res, sim) {
  const is = (method, path) => call.method === method && call.path === path;
  if (is('POST', '/api/permission/oauth2/token')) return json(res, ...token_for(call, sim));
  if (!is_known(call, sim)) return json(res, ...errors('unauthorized'));
  const b = call.body ?? {};
  if (call.method === 'GET' && call.path === '/v1/bots/' + sim.settings.bot_id) return json(res, 200, { code: 0, msg: '', data: { bot_id: sim.settings.bot_id, name: 'Shop' } });
  if (is('POST', '/v3/chat/cancel')) {
    const one = sim.running.get(b.conversation_id);
    if (one?.chat !== b.chat_id) return json(res, ...says(4200, 'The chat does not run'));
    sim.stopped++;
    one.stop();
    return json(res, 200, { code: 0, msg: '', data: { id: b.chat_id, status: 'canceled' } });
  }
  if (is('POST', '/v3/chat/submit_tool_outputs')) {
    const wanted = sim.waiting.get(call.query.chat_id);
    const told = (b.tool_outputs ?? []).map((o) => o.tool_call_id);
    if (!wanted || wanted.join() !== told.join()) return json(res, ...says(4000, 'The tool outputs do not fit'));
    sim.waiting.delete(call.query.chat_id);
    return talk(res, sim, sim.take(), { id: call.query.chat_id, conversation: call.query.conversation_id, bot: sim.settings.bot_id }, b.tool_outputs.map((o) => o.output).join('\n'));
  }
  if (!is('POST', '/v3/chat')) return json(res, ...says(4000, 'no such path', 404));
  const fault = sim.take();
  if (plain_fault(res, fault, errors)) return;
  const known = call.query.conversation_id;
  if (b.bot_id !== sim.settings.bot_id || !b.user_id || !Array.isArray(b.additional_messages)) return json(res, ...says(4000, 'bot_id, user_id and additional_messages are required'));
  if (known && sim.conversations.get(known) !== b.user_id) return json(res, ...says(4200, 'The conversation does not exist'));
  if (known && sim.running.has(known)) return json(res, ...says(4016, 'The conversation has a running chat'));
  const conversation = known ?? String(7_380_000_000_000_000_000n + BigInt(call.n));
  sim.conversations.set(conversation, b.user_id);
  await talk(res, sim, fault, { id: String(7_381_000_000_000_000_000n + BigInt(call.n)), conversation, bot: b.bot_id }, b.additional_messages[b.additional_messages.length - 1].content);
}

export async function start(given = {}) {
  const settings = { bot_id: '7400000000000000001', token: 'pat_sim', ...given };
  const sim = await serve(answer, { name: 'coze', ...settings });
  Object.assign(sim, { conversations: new Map(), running: new Map(), waiting: new Map(), tokens: new Map(), jti: new Set(), stopped: 0 });
  sim.config = { base: sim.url, bot_id: settings.bot_id, token: settings.token };
  return sim;
}
