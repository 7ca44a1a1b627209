// SPDX-License-Identifier: Apache-2.0
// Anthropic's messages: strict about turns and max_tokens, as the real one is.
import { Stream, json, plain_fault, serve, spoken, tokens } from '../lib/model.mjs';

const error = (status, type, message) => [status, { type: 'error', error: { type, message }, request_id: 'req_sim' }];
const errors = (kind) => ({
  rate_limited: error(429, 'rate_limit_error', 'This request would exceed your rate limit'),
  overloaded: error(529, 'overloaded_error', 'Overloaded'),
  server_error: error(500, 'api_error', 'Internal server error'),
  unauthorized: error(401, 'authentication_error', 'invalid x-api-key'),
  error_200: error(200, 'api_error', 'Internal server error'),
  too_long: error(400, 'invalid_request_error', 'prompt is too long: 210000 tokens > 200000 maximum'),
})[kind];

function wrong(b) {
  if (!b?.model) return 'model: Field required';
  if (!Number.isInteger(b.max_tokens) || b.max_tokens < 1) return 'max_tokens: Field required';
  if (!Array.isArray(b.messages) || !b.messages.length) return 'messages: at least one message is required';
  if (b.messages[0].role !== 'user') return 'messages: first message must use the "user" role';
  let asked = [];
  for (const m of b.messages) {
    if (!['user', 'assistant'].includes(m.role)) return `messages: Unexpected role "${m.role}"`;
    const blocks = typeof m.content === 'string' ? [{ type: 'text', text: m.content }] : m.content;
    if (!Array.isArray(blocks) || !blocks.length) return 'messages: content is empty';
    const told = blocks.filter((x) => x.type === 'tool_result').map((x) => x.tool_use_id);
    if (asked.join() !== told.join()) return 'messages: `tool_use` ids were found without `tool_result` blocks immediately after';
    if (blocks.some((x) => x.type === 'tool_use' && (typeof x.input !== 'object' || Array.isArray(x.input)))) return 'tool_use.input: Input should be a valid dictionary';
    asked = blocks.filter((x) => x.type === 'tool_use').map((x) => x.id);
  }
  return '';
}

async function messages(call, res, sim, fault) {
  const b = call.body;
  const last = b.messages[b.messages.length - 1].content;
  const prompt = typeof last === 'string' ? last : last.map((p) => p.text ?? p.content ?? '').join('\n');
  const answer = sim.next(prompt);
  const text = typeof answer === 'string' ? answer : answer.text ?? '';
  const tools = answer.tools ?? [];
  const input = tokens(JSON.stringify(b.messages));
  const output = tokens(text) + 20 * tools.length;
  const s = new Stream(res, fault);
  const say = (x) => s.say(`event: ${x.type}\ndata: ${JSON.stringify(x)}\n\n`);
  await s.open();
  await say({ type: 'message_start', message: { id: `msg_${call.n}`, type: 'message', role: 'assistant', content: [], model: b.model, stop_reason: null, usage: { input_tokens: input, cache_creation_input_tokens: 0, cache_read_input_tokens: sim.settings.cached ?? 0, output_tokens: 1 } } });
  await say({ type: 'ping' });
  if (fault?.fault === 'long_line') {
    for (let i = 0; i < (fault.bytes ?? 2 << 20) && (await s.say('x'.repeat(16384))); i += 16384);
    return s.end();
  }
  let index = 0;
  const block = async (content_block, deltas) => {
    await say({ type: 'content_block_start', index, content_block });
    for (const delta of deltas) if (!(await say({ type: 'content_block_delta', index, delta }))) return;
    await say({ type: 'content_block_stop', index: index++ });
  };
  function* texts() {
    if (fault?.fault === 'wrong_types') yield { type: 'text_delta', text: 7 };
    for (const piece of spoken(fault?.fault === 'refused' ? '' : text, fault)) yield { type: 'text_delta', text: piece };
  }
  await block({ type: 'text', text: '' }, texts());
  if (fault?.fault === 'invalid_utf8') await s.say(Buffer.concat([Buffer.from('event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}}\n\n')]));
  if (fault?.fault === 'error_event') await say({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } });
  if (fault?.fault === 'half_json') await s.say('event: content_block_delta\ndata: {"type":"content_bl');
  if (['half_json', 'half_stream', 'error_event'].includes(fault?.fault)) return s.end();
  for (const [i, t] of tools.entries()) {
    const args = JSON.stringify(t.arguments ?? {});
    await block({ type: 'tool_use', id: `toolu_${call.n}_${i}`, name: t.name, input: {} }, ['', args.slice(0, 5), args.slice(5)].map((partial_json) => ({ type: 'input_json_delta', partial_json })));
  }
  const stop_reason = fault?.fault === 'refused' ? 'refusal' : tools.length ? 'tool_use' : 'end_turn';
  const cached = sim.settings.cached ?? 0;
  sim.tell({ input: input + cached, output, cached });
  await say({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: output } });
  await say({ type: 'message_stop' });
  s.end();
}

export async function start(given = {}) {
  const key = given.key ?? 'sk-ant-sim';
  const sim = await serve(async (call, res, sim) => {
    if (call.headers['x-api-key'] !== key) return json(res, ...errors('unauthorized'));
    if (call.headers['anthropic-version'] !== '2023-06-01') return json(res, ...error(400, 'invalid_request_error', 'anthropic-version: header is required'));
    if (call.method === 'GET' && call.path === '/v1/models') return json(res, 200, { data: [{ type: 'model', id: 'sim' }], has_more: false });
    if (call.method !== 'POST' || call.path !== '/v1/messages') return json(res, ...error(404, 'not_found_error', 'Not found'));
    const fault = sim.take();
    if (plain_fault(res, fault, errors)) return;
    const why = wrong(call.body);
    if (why) return json(res, ...error(400, 'invalid_request_error', why));
    await messages(call, res, sim, fault);
  }, { name: 'anthropic', ...given });
  sim.config = { base: sim.url, key, model: 'sim' };
  return sim;
}
