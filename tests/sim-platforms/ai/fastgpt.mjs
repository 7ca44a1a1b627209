// SPDX-License-Identifier: Apache-2.0
// FastGPT's chat completions of one app: chatId, detail with named events,
// flowResponses after [DONE], dummy usage, errors with HTTP 500.
import { Stream, json, plain_fault, serve, spoken, tokens } from '../lib/model.mjs';

const says = (status, code, statusText, message) => [status, { code, statusText, message, data: null }];
const errors = (kind) => ({
  rate_limited: says(429, 429, 'tooManyRequest', 'Too many requests'),
  overloaded: says(503, 503, '', 'Service unavailable'),
  server_error: says(500, 500, '', 'connect ECONNREFUSED'),
  unauthorized: says(500, 514, 'unAuthApiKey', 'The key is not valid'),
  error_200: says(200, 500, '', 'connect ECONNREFUSED'),
  too_long: says(500, 500, '', 'maximum context length is 8192'),
  refused: says(500, 500, '', 'content_filter: the input was blocked'),
})[kind];

async function chat(call, res, sim, fault) {
  const b = call.body;
  const last = b.messages[b.messages.length - 1].content;
  const prompt = typeof last === 'string' ? last : last.map((p) => p.text ?? '').join('');
  if (b.chatId) sim.chats.set(b.chatId, [...(sim.chats.get(b.chatId) ?? []), prompt]);
  const answer = sim.next(prompt);
  const text = typeof answer === 'string' ? answer : answer.text ?? '';
  const head = { id: '', object: '', created: 0, model: '' };
  const quotes = (answer.sources ?? []).map((s) => ({ q: s.text, a: '', sourceName: s.title }));
  const nodes = [
    { moduleName: 'Search', moduleType: 'datasetSearchNode', inputTokens: tokens(prompt), outputTokens: 0, quoteList: quotes },
    { moduleName: 'AI', moduleType: 'chatNode', inputTokens: 100 + tokens(prompt), outputTokens: tokens(text), totalPoints: 0.1 },
  ];
  const tell = () => b.detail && sim.tell({ input: 100 + 2 * tokens(prompt), output: tokens(text) });
  if (!b.stream) tell();
  if (!b.stream) return json(res, 200, { ...head, usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 1 }, responseData: b.detail ? nodes : undefined, choices: [{ message: { role: 'assistant', content: text }, finish_reason: 'stop', index: 0 }] });
  const s = new Stream(res, fault);
  const say = (name, data) => s.say((b.detail ? `event: ${name}\n` : '') + `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
  const chunk = (content, finish_reason = null) => say('answer', { ...head, choices: [{ delta: { role: 'assistant', content }, index: 0, finish_reason }] });
  await s.open();
  if (b.detail) await say('flowNodeStatus', { status: 'running', name: 'AI' });
  if (fault?.fault === 'long_line') {
    for (let i = 0; i < (fault.bytes ?? 2 << 20) && (await s.say('x'.repeat(16384))); i += 16384);
    return s.end();
  }
  if (fault?.fault === 'wrong_types') await chunk(7);
  for (const piece of spoken(text, fault)) if (!(await chunk(piece))) break;
  if (fault?.fault === 'invalid_utf8') await s.say(Buffer.concat([Buffer.from('data: {"choices":[{"delta":{"content":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}}]}\n\n')]));
  if (fault?.fault === 'error_event') await s.say('event: error\ndata: {"message":"connect ECONNREFUSED"}\n\n');
  if (fault?.fault === 'half_json') await s.say('data: {"choices":[{"del');
  if (['half_json', 'half_stream', 'error_event'].includes(fault?.fault)) return s.end();
  await chunk(null);
  await chunk(null, 'stop');
  await say('answer', '[DONE]');
  tell();
  if (b.detail) await say('flowResponses', nodes);
  s.end();
}

export async function start(given = {}) {
  const key = given.key ?? 'fastgpt-sim';
  const sim = await serve(async (call, res, sim) => {
    if (call.headers.authorization !== `Bearer ${key}`) return json(res, ...errors('unauthorized'));
    if (call.method !== 'POST' || call.path !== '/api/v1/chat/completions') return json(res, ...says(404, 404, 'notFound', 'not found'));
    const fault = sim.take();
    if (plain_fault(res, fault, errors)) return;
    if (!Array.isArray(call.body?.messages) || !call.body.messages.length) return json(res, ...says(500, 500, '', 'messages is empty'));
    await chat(call, res, sim, fault);
  }, { name: 'fastgpt', ...given });
  Object.assign(sim, { chats: new Map(), config: { base: sim.url, key } });
  return sim;
}
