// SPDX-License-Identifier: Apache-2.0
// Slack, from Slack's side: events under v0 signatures with three tries, button
// presses as forms, chat.postMessage with ok:false in a 200 and Retry-After.
import { hmac } from '../lib/crypto.mjs';
import { png } from '../lib/media.mjs';
import { Platform, hex, json, multipart, parse, text } from '../lib/platform.mjs';

const no = (error, more = {}) => json({ ok: false, error, ...more });

class Slack extends Platform {
  constructor(given) {
    super('slack', given, { signing_secret: hex(16), bot_token: 'xoxb-' + hex(12), scopes: 'chat:write,im:history,users:read', customer: 'UANNA1' });
    this.tokens.set(this.settings.bot_token, { till: Infinity });
    const on = (name, work) => this.on_call('POST', '/api/' + name, (c) => this.#signed(c) ?? work(this.#args(c), c));
    on('auth.test', () => json({ ok: true, team: 'Shop', user: 'bot', bot_id: 'B1', user_id: 'UBOT' }, 200, { 'x-oauth-scopes': this.settings.scopes }));
    on('chat.postMessage', (a) => this.#send(a));
    on('chat.delete', (a) => this.#delete(a, a.channel, a.ts));
    on('files.delete', (a) => this.#delete(a, this.media.get(a.file)?.shared?.[0], a.file));
    on('users.info', (a) => (this.customers.has(a.user) ? json({ ok: true, user: { id: a.user, profile: { display_name: this.customers.get(a.user).name, real_name: this.customers.get(a.user).name } } }) : no('user_not_found')));
    on('files.getUploadURLExternal', (a) => {
      if (!a.filename || !Number(a.length)) return no('invalid_arguments');
      const id = this.keep_file(a.filename, 'application/octet-stream', Buffer.alloc(0));
      Object.assign(this.media.get(id), { want: Number(a.length), shared: [] });
      return json({ ok: true, upload_url: `${this.url}/upload/${id}`, file_id: id });
    });
    on('files.completeUploadExternal', (a) => this.#complete(a));
    on('files.info', (a) => (this.media.has(a.file) ? json({ ok: true, file: { id: a.file, ims: this.media.get(a.file).shared ?? [], channels: [], groups: [] } }) : no('file_not_found')));
    this.on_call('POST', /^\/upload\/(\w+)$/, (c) => this.#bytes(c));
    this.on_call('GET', /^\/files\/(\w+)$/, (c) => this.#file(c));
  }
  get config() {
    const s = this.settings;
    return { signing_secret: s.signing_secret, bot_token: s.bot_token, api: this.url + '/api' };
  }
  #args(c) {
    return /^application\/json/.test(c.headers['content-type'] ?? '') ? parse(c.body) ?? {} : Object.fromEntries(new URLSearchParams(c.body.toString()));
  }
  #signed(c) {
    const token = bearer(c);
    if (!token) return no('not_authed');
    const state = this.state_of(token);
    if (state !== 'good') return no(state === 'expired' ? 'token_expired' : 'invalid_auth');
    return this.is_throttled() ? json({ ok: false, error: 'ratelimited' }, 429, { 'retry-after': '1' }) : null;
  }
  #send(a) {
    const refuse = (why) => (this.refuse(why, JSON.stringify(a).slice(0, 200)), no(why));
    const planned = this.planned_error();
    if (planned !== undefined) return refuse(planned);
    const user = [...this.customers.values()].find((c) => c.channel === a.channel || c.threads?.has(a.channel));
    if (!user) return refuse('channel_not_found');
    if (!a.text && !a.blocks?.length) return refuse('no_text');
    if (a.text?.length > 40_000) return refuse('msg_too_long');
    if (/&(?!amp;|lt;|gt;)|<(?![@#!]|https?:|mailto:)/.test(a.text ?? '')) this.refuse('text is not escaped', a.text);
    const ts = this.#ts();
    const plain = (a.text ?? '').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
    this.show(user.id, { kind: a.blocks ? 'blocks' : 'text', text: plain, id: ts, channel: a.channel, thread: a.thread_ts, buttons: a.blocks?.flatMap((b) => b.elements ?? []) });
    return json({ ok: true, channel: a.channel, ts, message: { text: a.text, ts } });
  }
  #delete(a, channel, id) {
    const planned = this.planned_error();
    if (planned !== undefined) return (this.refuse(planned, 'planned'), no(planned));
    const user = [...this.customers.values()].find((c) => c.channel === channel || c.threads?.has(channel));
    if (!user || !this.take_back(user.id, id)) return no(a.file ? 'file_not_found' : 'message_not_found');
    return json({ ok: true, channel, ts: a.ts });
  }
  /** To an address that only who asked for it knows; raw, or as a form. */
  #bytes(c) {
    const m = this.media.get(c.part[0]);
    const data = /^multipart/.test(c.headers['content-type'] ?? '') ? multipart(c)?.data : c.body;
    if (!m || data?.length !== m.want) return (this.refuse('not what was announced', `${data?.length} ${m?.want}`), text('failed', 400));
    this.count.uploads = (this.count.uploads ?? 0) + 1;
    m.data = data;
    return text('OK - ' + data.length);
  }
  /** Who has no right to it is sent to a page to sign in at, in a 200. */
  #file(c) {
    if (this.faults.media > 0 && this.faults.media--) return text('try later', 503);
    const m = this.media.get(c.part[0]);
    if (this.state_of(bearer(c)) !== 'good') return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<!DOCTYPE html><html><title>Slack</title>Sign in</html>' };
    return m ? { status: 200, headers: { 'content-type': m.type }, body: m.data } : { status: 404, known: true };
  }
  #complete(a) {
    const planned = this.planned_error();
    if (planned !== undefined) return (this.refuse(planned, 'planned'), no(planned));
    const files = typeof a.files === 'string' ? parse(a.files) : a.files;
    const user = [...this.customers.values()].find((c) => c.channel === a.channel_id);
    if (!user) return (this.refuse('channel_not_found', a.channel_id), no('channel_not_found'));
    if (!files?.length || !files.every((f) => this.media.get(f.id)?.data.length && !this.media.get(f.id).shared.length)) return (this.refuse('file_not_found', JSON.stringify(files)), no('file_not_found'));
    for (const f of files) {
      this.media.get(f.id).shared.push(a.channel_id);
      this.show(user.id, { kind: 'file', text: a.initial_comment ?? `[file] ${this.media.get(f.id).name}`, id: f.id, file: f.id, thread: a.thread_ts });
    }
    return json({ ok: true, files });
  }
  #ts() {
    return `${this.now_s()}.${String(this.serial()).padStart(6, '0')}`;
  }

  // --- events ---------------------------------------------------------------------
  #post(raw, type, what, takes) {
    const make = (forged, n) => {
      const ts = String(this.now_s());
      const headers = { 'content-type': type, 'x-slack-request-timestamp': ts, 'x-slack-signature': 'v0=' + hmac(forged ? 'somebody-elses' : this.settings.signing_secret, `v0:${ts}:${raw}`) };
      if (n) Object.assign(headers, { 'x-slack-retry-num': String(n), 'x-slack-retry-reason': 'http_error' });
      return { body: raw, headers };
    };
    return this.push(what, make, { takes, tries: [100, 60_000, 300_000], deadline_ms: 3000 }).then((a) => ({ ...a, id: what }));
  }
  says(user = this.settings.customer, message = '你好', name) {
    const c = this.heard(user, name);
    c.channel ??= 'D' + user.slice(1);
    const m = typeof message === 'string' ? { type: 'text', text: message } : message;
    if (m.type === 'press') {
      const payload = { type: 'block_actions', user: { id: user }, channel: { id: c.channel }, message: { ts: m.of ?? this.#ts() }, actions: [{ action_id: 'b1', value: m.data, action_ts: this.#ts() }] };
      return this.#post(new URLSearchParams({ payload: JSON.stringify(payload) }).toString(), 'application/x-www-form-urlencoded', payload.actions[0].action_ts);
    }
    if (m.type === 'recall') {
      const event = { type: 'message', subtype: 'message_deleted', hidden: true, channel: m.chat ?? c.channel, channel_type: m.chat ? 'channel' : 'im', ts: this.#ts(), deleted_ts: m.id, previous_message: { type: 'message', user, ts: m.id, text: '', ...(m.thread ? { thread_ts: m.thread } : {}) } };
      const id = 'Ev' + hex(6).toUpperCase();
      return this.#post(JSON.stringify({ token: 'x', team_id: 'T1', api_app_id: 'A1', type: 'event_callback', event_id: id, event_time: this.now_s(), event }), 'application/json', id);
    }
    const event = { type: m.chat ? 'app_mention' : 'message', channel: m.chat ?? c.channel, channel_type: m.chat ? undefined : 'im', user, ts: this.#ts(), text: m.text ?? '', ...(m.thread ? { thread_ts: m.thread } : {}) };
    if (m.chat) (c.threads ??= new Set()).add(m.chat);
    if (['image', 'file', 'audio', 'video'].includes(m.type)) {
      const data = m.data ?? png();
      const id = m.gone ? hex(16) : this.keep_file(m.name ?? 'file.png', m.mime ?? 'image/png', data);
      Object.assign(event, { subtype: 'file_share', files: [{ id, name: m.name ?? 'file.png', mimetype: m.mime ?? 'image/png', mode: 'hosted', size: data.length, url_private: `${this.url}/files/${id}`, permalink: `${this.url}/files/${id}` }] });
    } else if (m.type !== 'text') throw new Error(`slack: nobody can send ${m.type}`);
    const id = 'Ev' + hex(6).toUpperCase();
    return this.#post(JSON.stringify({ token: 'x', team_id: 'T1', api_app_id: 'A1', type: 'event_callback', event_id: id, event_time: this.now_s(), authorizations: [{ user_id: 'UBOT', is_bot: true }], event }), 'application/json', id).then((a) => ({ ...a, ts: event.ts }));
  }
  async verify() {
    const challenge = hex(16);
    const raw = JSON.stringify({ token: 'x', type: 'url_verification', challenge });
    return (await this.#post(raw, 'application/json', 'verify', (a) => a.status === 200 && (a.body === challenge || parse(a.body)?.challenge === challenge))).taken;
  }
}
const bearer = (c) => /^Bearer (.+)$/.exec(c.headers.authorization ?? '')?.[1];

export const start = (given) => new Slack(given).open();
