// SPDX-License-Identifier: Apache-2.0
// LINE's Messaging API, from LINE's side: webhooks under X-Line-Signature, reply
// tokens good once and for a minute, pushes under a retry key (409 when repeated).
import { hmac } from '../lib/crypto.mjs';
import { misfit, png, type_of } from '../lib/media.mjs';
import { Platform, hex, json, parse } from '../lib/platform.mjs';

const no = (status, message, more = {}) => ({ ...json({ message, ...more }, status), known: true });
const LIFE_MS = 60_000;

class Line extends Platform {
  constructor(given) {
    super('line', given, { channel_secret: hex(16), access_token: hex(40), redelivery: true, monthly: Infinity, customer: 'U' + 'a1'.repeat(16) });
    this.tokens.set(this.settings.access_token, { till: Infinity });
    this.replies = new Map();
    this.keys = new Map();
    this.pushed = 0;
    const on = (method, path, work) => this.on_call(method, path, (c) => this.#signed(c) ?? work(c, parse(c.body) ?? {}));
    on('POST', '/v2/bot/message/reply', (c, b) => this.#reply(c, b));
    on('POST', '/v2/bot/message/push', (c, b) => this.#push(c, b));
    on('POST', '/v2/bot/chat/loading/start', (c, b) => (!this.customers.has(b.chatId) || b.loadingSeconds % 5 || b.loadingSeconds < 5 || b.loadingSeconds > 60 ? no(400, 'The request body has 1 error(s)') : (this.emit('typing', b.chatId), json({}, 202))));
    on('GET', '/v2/bot/info', () => json({ userId: 'Ubot', basicId: '@shop', displayName: 'Shop' }));
    on('GET', '/v2/bot/channel/webhook/endpoint', () => json({ endpoint: this.hook ?? '', active: !!this.hook }));
    on('GET', /^\/v2\/bot\/profile\/(\w+)$/, (c) => (this.customers.has(c.part[0]) ? json({ userId: c.part[0], displayName: this.customers.get(c.part[0]).name, language: 'zh' }) : no(404, 'Not found')));
    on('GET', /^\/v2\/bot\/message\/(\w+)\/content$/, (c) => this.#content(c.part[0]));
  }
  get config() {
    const s = this.settings;
    return { channel_secret: s.channel_secret, access_token: s.access_token, api: this.url };
  }
  #signed(c) {
    const token = /^Bearer (.+)$/.exec(c.headers.authorization ?? '')?.[1];
    if (this.state_of(token) !== 'good') return no(401, 'Authentication failed. Confirm that the access token in the authorization header is valid.');
    return this.is_throttled() ? no(429, 'The API rate limit has been exceeded. Try again later.') : null;
  }
  #bad(b) {
    const list = b.messages;
    if (!Array.isArray(list) || !list.length || list.length > 5) return 'Size must be between 1 and 5';
    for (const m of list) {
      if (m.type === 'text' && (!m.text || m.text.length > 5000)) return 'text: Length must be between 0 and 5000';
      if (m.type === 'template' && !(m.altText && m.altText.length <= 400 && m.template?.actions?.length <= 4 && m.template.text?.length <= 160)) return 'template';
      if (m.type === 'location' && !(m.title && m.address)) return 'location';
      if ((m.type === 'image' || m.type === 'video') && !/^https:/.test(m.originalContentUrl ?? '')) return 'originalContentUrl: must be a HTTPS URL';
      if (m.quickReply?.items?.length > 13) return 'quickReply';
      for (const a of [...(m.template?.actions ?? []), ...(m.quickReply?.items ?? []).map((i) => i.action)]) if (!a.label || [...a.label].length > 20) return 'label';
    }
    return '';
  }
  #content(id) {
    if (this.faults.media > 0 && this.faults.media--) return no(500, 'Internal server error');
    const m = this.media.get(id);
    return m ? { status: 200, headers: { 'content-type': m.type }, body: m.data } : no(404, 'Not found');
  }
  /** The picture, as LINE's own servers fetch it; `reach` says where an address
   * leads in a test. Customers see nothing of one that is not there. */
  async #fetch(url, rule) {
    const res = await fetch(this.settings.reach?.(url) ?? url);
    const data = Buffer.from(await res.arrayBuffer());
    if (!res.ok || misfit(data, rule)) return (this.refuse('the picture cannot be shown', `${url} ${res.status} ${data.length}`), undefined);
    return this.keep_file('', type_of(data), data);
  }
  async #take(c, user, b, by) {
    const files = await Promise.all(b.messages.map(async (m) => m.type === 'image' && (await this.#fetch(m.previewImageUrl, [1, 'image/png', 'image/jpeg'])) && this.#fetch(m.originalContentUrl, [10, 'image/png', 'image/jpeg'])));
    const ids = b.messages.map((m, i) => {
      const id = String(500000000000000000n + BigInt(this.serial()));
      this.show(user, { file: files[i] || undefined, kind: m.type, text: m.text ?? m.altText ?? `[${m.type}] ${m.title ?? ''}`.trim(), id, by, buttons: m.template?.actions ?? m.quickReply?.items });
      return { id, quoteToken: hex(4) };
    });
    return json({ sentMessages: ids });
  }
  #refuse(c, answer) {
    this.refuse(JSON.parse(answer.body).message, c.body.toString().slice(0, 200));
    return answer;
  }
  #planned() {
    const code = this.planned_error();
    return code === undefined ? null : no(code, 'planned');
  }
  async #reply(c, b) {
    const planned = this.#planned();
    if (planned) return this.#refuse(c, planned);
    const bad = this.#bad(b);
    if (bad) return this.#refuse(c, no(400, 'The request body has 1 error(s)', { details: [{ message: bad }] }));
    const r = this.replies.get(b.replyToken);
    if (!r || r.till < this.now()) return this.#refuse(c, no(400, 'Invalid reply token'));
    this.replies.delete(b.replyToken);
    return this.#take(c, r.user, b, 'reply');
  }
  async #push(c, b) {
    const key = c.headers['x-line-retry-key'];
    if (key !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(key)) return this.#refuse(c, no(400, "The 'X-Line-Retry-Key' is invalid"));
    if (key && this.keys.has(key)) return no(409, 'The retry key is already accepted', JSON.parse(this.keys.get(key)));
    const planned = this.#planned();
    if (planned) return this.#refuse(c, planned);
    const bad = this.#bad(b);
    if (bad) return this.#refuse(c, no(400, 'The request body has 1 error(s)', { details: [{ message: bad }] }));
    const who = this.customers.get(b.to);
    if (!who || who.blocked) return this.#refuse(c, no(400, "The property, 'to', in the request body is invalid"));
    if (this.pushed >= this.settings.monthly) return this.#refuse(c, no(429, 'You have reached your monthly limit.'));
    this.pushed++;
    const answer = await this.#take(c, b.to, b, 'push');
    if (key) this.keys.set(key, answer.body);
    return answer;
  }

  // --- webhooks -------------------------------------------------------------------
  #event(user, event, id = hex(13).toUpperCase()) {
    let token;
    if (event.type !== 'unfollow' && event.type !== 'unsend') {
      token = hex(16);
      this.replies.set(token, { user, till: this.now() + LIFE_MS });
    }
    const one = { mode: 'active', timestamp: this.now(), source: { type: 'user', userId: user }, webhookEventId: id, deliveryContext: { isRedelivery: false }, ...(token ? { replyToken: token } : {}), ...event };
    return this.#post([one], id);
  }
  #post(events, id, takes) {
    const make = (forged, n) => {
      const raw = JSON.stringify({ destination: 'Ubot', events: events.map((e) => ({ ...e, deliveryContext: { isRedelivery: n > 0 } })) });
      return { body: raw, headers: { 'content-type': 'application/json; charset=utf-8', 'x-line-signature': hmac(forged ? 'somebody-elses' : this.settings.channel_secret, raw, 'base64') } };
    };
    return this.push(id, make, { takes, tries: this.settings.redelivery ? [1000, 5000, 30_000, 60_000] : [], deadline_ms: 2000 }).then((a) => ({ ...a, id }));
  }
  says(user = this.settings.customer, message = '你好', name) {
    const c = this.heard(user, name);
    c.blocked = false;
    const m = typeof message === 'string' ? { type: 'text', text: message } : message;
    if (m.type === 'follow' || m.type === 'unfollow') {
      c.blocked = m.type === 'unfollow';
      return this.#event(user, { type: m.type });
    }
    if (m.type === 'press') return this.#event(user, { type: 'postback', postback: { data: m.data } });
    const file = (mime) => ({ id: m.gone ? hex(16) : this.keep_file(m.name ?? 'file.bin', m.mime ?? mime, m.data ?? png()), contentProvider: { type: 'line' } });
    const body = { text: () => ({ id: String(400000000000000000n + BigInt(this.serial())), quoteToken: hex(4), text: m.text }), image: () => file('image/jpeg'), video: () => ({ ...file('video/mp4'), duration: 1000 }), audio: () => ({ ...file('audio/mp4'), duration: 1000 }), file: () => ({ ...file('application/pdf'), fileName: m.name }), location: () => ({ id: String(400000000000000000n + BigInt(this.serial())), title: m.label, address: m.address ?? '', latitude: m.lat, longitude: m.lng }) }[m.type];
    if (!body) throw new Error(`line: nobody can send ${m.type}`);
    return this.#event(user, { type: 'message', message: { type: m.type, ...body() } });
  }
  async verify() {
    return (await this.#post([], 'verify', (a) => a.status === 200)).taken;
  }
}

export const start = (given) => new Line(given).open();
