// SPDX-License-Identifier: Apache-2.0
// Dify's service API of one app: chat-messages, stop, info. An agent app
// (agent: true) knows streaming only; a chatflow (chatflow: true) tells its nodes.
import { randomUUID } from 'node:crypto';
import { Stream, json, plain_fault, serve, spoken, tokens } from '../lib/model.mjs';

const error = (status, code, message) => [status, { code, message, status }];
const errors = (kind) => ({
  rate_limited: error(429, 'too_many_requests', 'Too many requests. Please try again later.'),
  overloaded: error(503, 'service_unavailable', 'The service is unavailable'),
  server_error: error(500, 'internal_server_error', 'Internal Server Error'),
  unauthorized: error(401, 'unauthorized', 'Access token is invalid'),
  error_200: [200, { code: 'internal_server_error', message: 'Internal Server Error', status: 500 }],
  too_long: error(400, 'completion_request_error', "This model's maximum context length is 8192 tokens"),
  refused: error(400, 'completion_request_error', 'content_filter: the input was blocked'),
})[kind];

async function chat(call, res, sim, fault) {
  const b = call.body;
  const own = sim.conversations;
  if (b.conversation_id && own.get(b.conversation_id)?.user !== b.user) return json(res, ...error(404, 'not_found', 'Conversation Not Exists.'));
  const id = b.conversation_id || randomUUID();
  const talk = own.get(id) ?? { user: b.user, said: [] };
  own.set(id, talk);
  const answer = sim.next(b.query);
  const text = typeof answer === 'string' ? answer : answer.text ?? '';
  talk.said.push(b.query, text);
  const input = tokens(talk.said.join(''));
  const usage = { prompt_tokens: input, completion_tokens: tokens(text), total_tokens: input + tokens(text), total_price: (input * 2e-6 + tokens(text) * 6e-6).toFixed(7), currency: 'USD', latency: 0.1 };
  const tell = () => sim.tell({ input, output: tokens(text), cost: Math.round(Number(usage.total_price) * 1e9) });
  const metadata = { usage, retriever_resources: answer.sources?.map((s, i) => ({ position: i + 1, document_name: s.title, segment_id: randomUUID(), score: 0.9, content: s.text })) ?? [] };
  const head = { task_id: randomUUID(), message_id: randomUUID(), conversation_id: id, created_at: 1_900_000_000 };
  if (b.response_mode !== 'streaming') {
    if (sim.settings.agent) return json(res, ...error(400, 'invalid_param', 'Agent Chat App does not support blocking mode'));
    tell();
    return json(res, 200, { event: 'message', id: head.message_id, ...head, mode: 'chat', answer: text, metadata });
  }
  const s = new Stream(res, fault);
  const say = (event, more) => s.say(`data: ${JSON.stringify({ event, ...head, ...more })}\n\n`);
  sim.tasks.set(head.task_id, { user: b.user, stop: () => ((s.gone = true), res.end()) });
  await s.open();
  await s.say('event: ping\n\n');
  if (sim.settings.chatflow) await say('workflow_started', { data: { id: 'w1' } });
  if (fault?.fault === 'long_line') {
    for (let i = 0; i < (fault.bytes ?? 2 << 20) && (await s.say('x'.repeat(16384))); i += 16384);
    return s.end();
  }
  const kind = sim.settings.agent ? 'agent_message' : 'message';
  if (sim.settings.agent) await say('agent_thought', { thought: 'The visitor wants something.' });
  if (fault?.fault === 'wrong_types') await say(kind, { answer: 7 });
  for (const piece of spoken(text, fault)) if (!(await say(kind, { answer: piece }))) break;
  if (fault?.fault === 'invalid_utf8') await s.say(Buffer.concat([Buffer.from('data: {"event":"message","answer":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n\n')]));
  if (fault?.fault === 'error_event') await say('error', { status: 500, code: 'internal_server_error', message: 'The node failed' });
  if (fault?.fault === 'half_json') await s.say('data: {"event":"message","ans');
  if (!['half_json', 'half_stream', 'error_event'].includes(fault?.fault)) {
    if (sim.settings.agent) await say('message', { answer: text });
    tell();
    await say('message_end', { metadata });
    if (sim.settings.chatflow) await say('workflow_finished', { data: { id: 'w1', status: 'succeeded' } });
  }
  sim.tasks.delete(head.task_id);
  s.end();
}

export async function start(given = {}) {
  const key = given.key ?? 'app-sim';
  const sim = await serve(async (call, res, sim) => {
    if (call.headers.authorization !== `Bearer ${key}`) return json(res, ...errors('unauthorized'));
    const path = call.path.replace(/^\/v1/, '');
    if (call.method === 'GET' && path === '/info') return json(res, 200, { name: 'Shop', description: '', tags: [], mode: 'chat' });
    const stop = /^\/chat-messages\/([^/]+)\/stop$/.exec(path);
    if (call.method === 'POST' && stop) {
      const task = sim.tasks.get(stop[1]);
      if (task && task.user === call.body?.user) {
        sim.stopped++;
        task.stop();
      }
      return json(res, 200, { result: 'success' });
    }
    if (call.method !== 'POST' || path !== '/chat-messages') return json(res, ...error(404, 'not_found', 'Not Found'));
    const fault = sim.take();
    if (plain_fault(res, fault, errors)) return;
    const b = call.body;
    if (!b?.query || !b.user || typeof b.inputs !== 'object') return json(res, ...error(400, 'invalid_param', 'query, user and inputs are required'));
    await chat(call, res, sim, fault);
  }, { name: 'dify', ...given });
  Object.assign(sim, { conversations: new Map(), tasks: new Map(), stopped: 0, config: { base: sim.url + '/v1', key } });
  return sim;
}
