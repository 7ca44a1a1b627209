// SPDX-License-Identifier: Apache-2.0
// Chat completions as OpenAI, DeepSeek, DashScope, vLLM and Ollama serve them.
import { Stream, json, plain_fault, serve, spoken, tokens } from '../lib/model.mjs';

const errors = (kind) => ({
  rate_limited: [429, { error: { message: 'Rate limit reached', type: 'requests', code: 'rate_limit_exceeded' } }],
  overloaded: [503, { error: { message: 'The server is overloaded', type: 'server_error', code: null } }],
  server_error: [500, { error: { message: 'The server had an error', type: 'server_error' } }],
  unauthorized: [401, { error: { message: 'Incorrect API key provided', type: 'invalid_request_error', code: 'invalid_api_key' } }],
  error_200: [200, { error: { message: 'The server is overloaded', type: 'server_error' } }],
  too_long: [400, { error: { message: "This model's maximum context length is 8192 tokens", type: 'invalid_request_error', code: 'context_length_exceeded' } }],
})[kind];

async function chat(call, res, sim, fault) {
  const b = call.body;
  const said = [...b.messages].reverse().find((m) => m.role === 'user' || m.role === 'tool')?.content ?? '';
  const prompt = Array.isArray(said) ? said.map((p) => p.text ?? '').join('') : said;
  const answer = sim.next(prompt);
  const text = typeof answer === 'string' ? answer : answer.text ?? '';
  const input = tokens(JSON.stringify(b.messages));
  const usage = { prompt_tokens: input, completion_tokens: tokens(text), total_tokens: input + tokens(text), prompt_tokens_details: { cached_tokens: sim.settings.cached ?? 0 } };
  const tell = () => sim.tell({ input, output: tokens(text), cached: sim.settings.cached ?? 0 });
  const calls = (answer.tools ?? []).map((t, i) => ({ index: i, id: `call_${call.n}_${i}`, type: 'function', function: { name: t.name, arguments: JSON.stringify(t.arguments ?? {}) } }));
  const reason = fault?.fault === 'refused' ? 'content_filter' : calls.length ? 'tool_calls' : 'stop';
  const head = { id: `chatcmpl-${call.n}`, object: 'chat.completion.chunk', created: 1_900_000_000, model: b.model };
  if (!b.stream) tell();
  if (!b.stream) return json(res, 200, { ...head, object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: text, tool_calls: calls.length ? calls : undefined }, finish_reason: reason }], usage });

  const s = new Stream(res, fault);
  const chunk = (delta, finish_reason = null) => s.say(`data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason }], usage: null })}\n\n`);
  await s.open();
  await s.say(': keep-alive\n\n');
  if (fault?.fault === 'long_line') {
    const n = fault.bytes ?? 2 << 20;
    for (let i = 0; i < n && (await s.say('x'.repeat(16384))); i += 16384);
    return s.end();
  }
  await chunk({ role: 'assistant', content: fault?.fault === 'wrong_types' ? { a: 1 } : '' });
  if (sim.settings.thinks) await chunk({ reasoning_content: 'The visitor wants something.' });
  for (const piece of spoken(fault?.fault === 'refused' ? '' : text, fault)) if (!(await chunk({ content: piece }))) break;
  if (fault?.fault === 'invalid_utf8') await s.say(Buffer.concat([Buffer.from('data: {"choices":[{"delta":{"content":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}}]}\n\n')]));
  if (fault?.fault === 'error_event') await s.say('data: {"error":{"message":"The server had an error","type":"server_error","code":500}}\n\n');
  if (fault?.fault === 'half_json') await s.say('data: {"choices":[{"delta":{"content":"ha');
  if (['half_json', 'half_stream', 'error_event'].includes(fault?.fault)) return s.end();
  for (const c of calls) {
    const half = c.function.arguments.length >> 1;
    await chunk({ tool_calls: [{ ...c, function: { name: c.function.name, arguments: c.function.arguments.slice(0, half) } }] });
    await chunk({ tool_calls: [{ index: c.index, function: { arguments: c.function.arguments.slice(half) } }] });
  }
  await chunk({}, reason);
  if (b.stream_options?.include_usage) tell();
  if (b.stream_options?.include_usage) await s.say(`data: ${JSON.stringify({ ...head, choices: [], usage })}\n\n`);
  await s.say('data: [DONE]\n\n');
  s.end();
}

function embeddings(call, res) {
  const list = [].concat(call.body.input);
  const data = list.map((text, index) => ({ object: 'embedding', index, embedding: [...Array(call.body.dimensions ?? 8)].map((_, i) => ((text.length * (i + 3)) % 17) / 17) }));
  json(res, 200, { object: 'list', model: call.body.model, data: data.reverse(), usage: { prompt_tokens: tokens(list.join('')), total_tokens: tokens(list.join('')) } });
}

export async function start(given = {}) {
  const key = given.key ?? 'sk-sim';
  const sim = await serve(async (call, res, sim) => {
    if (call.headers.authorization !== `Bearer ${key}`) return json(res, ...errors('unauthorized'));
    const path = call.path.replace(/^\/v1/, '');
    if (call.method === 'GET' && path === '/models') return json(res, 200, { object: 'list', data: [{ id: 'sim', object: 'model' }] });
    if (call.method !== 'POST') return json(res, 404, { error: { message: 'Not found' } });
    const fault = sim.take();
    if (plain_fault(res, fault, errors)) return;
    if (path === '/embeddings') return embeddings(call, res);
    if (path !== '/chat/completions') return json(res, 404, { error: { message: `Unknown request URL: POST ${call.path}` } });
    const b = call.body;
    if (!b?.model || !Array.isArray(b.messages) || !b.messages.length) return json(res, 400, { error: { message: 'messages is required', type: 'invalid_request_error' } });
    await chat(call, res, sim, fault);
  }, { name: 'openai', ...given });
  sim.config = { provider: 'other', base: sim.url + '/v1', key, model: 'sim' };
  return sim;
}
