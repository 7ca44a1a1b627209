// SPDX-License-Identifier: Apache-2.0
// WhatsApp's Cloud API, from Meta's side: webhooks under X-Hub-Signature-256 with
// non-ASCII escaped, statuses, 24 h, media by id and a short-lived address.
import { hmac } from '../lib/crypto.mjs';
import { misfit, png } from '../lib/media.mjs';
import { Platform, hex, json, multipart, parse } from '../lib/platform.mjs';

const DAY = 24 * 3600_000;
/** What may be sent as what: MB, and what is in it. */
const RULES = { image: [5, 'image/jpeg', 'image/png'], audio: [16, 'audio/ogg', 'audio/mpeg', 'audio/amr', 'video/mp4'], video: [16, 'video/mp4'], document: [100], sticker: [0.5, 'image/webp'] };
const TEXTS = { 190: 'Error validating access token', 100: 'Invalid parameter', 131047: 'Re-engagement message', 131026: 'Message undeliverable', 130429: 'Rate limit hit', 131056: 'Pair rate limit hit', 131051: 'Unsupported message type' };
const no = (status, code, detail) => json({ error: { message: `(#${code}) ${TEXTS[code] ?? 'error'}`, type: 'OAuthException', code, error_data: { messaging_product: 'whatsapp', details: detail ?? TEXTS[code] }, fbtrace_id: hex(6) } }, status);
const escaped = (value) => JSON.stringify(value).replace(/[^\x20-\x7e]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

class WhatsApp extends Platform {
  constructor(given) {
    super('whatsapp', given, { phone_number_id: '1000000000001', access_token: 'EAA' + hex(20), app_secret: hex(16), verify_token: hex(8), receipts: true, customer: '8613800000000' });
    this.said = new Map(); // messages of customers
    this.tokens.set(this.settings.access_token, { till: Infinity });
    this.on_call('POST', /^\/v[\d.]+\/(\d+)\/messages$/, (c) => this.#signed(c) ?? this.#messages(c));
    this.on_call('POST', /^\/v[\d.]+\/(\d+)\/media$/, (c) => this.#signed(c) ?? this.#upload(c));
    this.on_call('GET', /^\/v[\d.]+\/(\w+)$/, (c) => this.#signed(c) ?? this.#get(c));
    this.on_call('GET', /^\/lookaside\/(\w+)$/, (c) => this.#signed(c) ?? this.#download(c.part[0]));
  }
  get config() {
    const s = this.settings;
    return { phone_number_id: s.phone_number_id, access_token: s.access_token, app_secret: s.app_secret, verify_token: s.verify_token, api: this.url };
  }
  #signed(c) {
    const token = /^Bearer (.+)$/.exec(c.headers.authorization ?? '')?.[1];
    if (this.state_of(token) !== 'good') return no(401, 190);
    return this.is_throttled() ? no(429, 130429) : null;
  }
  #get(c) {
    const m = this.media.get(c.part[0]);
    if (m && this.faults.media > 0 && this.faults.media--) return no(500, 131000);
    if (m) return json({ messaging_product: 'whatsapp', id: m.id, mime_type: m.type, file_size: m.data.length, url: `${this.url}/lookaside/${m.id}` });
    if (c.part[0] === this.settings.phone_number_id) return json({ id: c.part[0], display_phone_number: '+1 555-0001', verified_name: 'Shop' });
    return no(400, 100);
  }
  #download(id) {
    const m = this.media.get(id);
    return m ? { status: 200, headers: { 'content-type': m.type }, body: m.data } : { status: 404, known: true };
  }
  #upload(c) {
    const f = multipart(c);
    if (f?.field !== 'file' || f.fields.messaging_product !== 'whatsapp') return no(400, 100, 'file, messaging_product');
    if (!f.fields.type) return no(400, 100, 'type');
    this.count.uploads = (this.count.uploads ?? 0) + 1;
    return json({ id: this.keep_file(f.name, f.fields.type, f.data) });
  }
  #messages(c) {
    const b = parse(c.body) ?? {};
    const refuse = (status, code, why) => (this.refuse(why ?? TEXTS[code] ?? String(code), c.body.toString().slice(0, 200)), no(status, code, why));
    if (c.part[0] !== this.settings.phone_number_id || b.messaging_product !== 'whatsapp') return refuse(400, 100);
    if (b.status === 'read' || b.typing_indicator) {
      const user = this.said.get(b.message_id);
      if (b.status !== 'read' || !user || (b.typing_indicator && b.typing_indicator.type !== 'text')) return refuse(400, 100, 'message_id');
      if (b.typing_indicator) this.emit('typing', user);
      return json({ success: true });
    }
    const planned = this.planned_error();
    if (planned !== undefined) return refuse(400, planned);
    const customer = this.customers.get(b.to ?? b.recipient);
    const o = b[b.type ?? 'text'];
    if (!o || typeof o !== 'object') return refuse(400, 131051);
    const bad = this.#bad(b.type ?? 'text', o);
    if (bad) return refuse(400, 100, bad);
    const id = 'wamid.' + hex(16);
    if (!customer) return refuse(400, 131026);
    if (this.now() - customer.heard_at > DAY) return refuse(400, 131047);
    this.show(customer.id, { kind: b.type, text: this.#text(b.type ?? 'text', o), id, file: o.id });
    if (this.settings.receipts) for (const status of ['sent', 'delivered']) this.tells(id, customer.id, status);
    return json({ messaging_product: 'whatsapp', contacts: [{ input: b.to, wa_id: customer.id }], messages: [{ id }] });
  }
  #bad(type, o) {
    if (type === 'text') return !o.body ? 'text.body is required' : o.body.length > 4096 ? 'text.body is too long' : '';
    if (['image', 'audio', 'video', 'document', 'sticker'].includes(type)) return o.link ? '' : !this.media.has(o.id) ? 'id is unknown' : misfit(this.media.get(o.id).data, RULES[type]) ? `this is no ${type}` : '';
    if (type === 'location') return Number.isFinite(o.latitude) && Number.isFinite(o.longitude) ? '' : 'latitude';
    if (type !== 'interactive') return type === 'template' || type === 'contacts' || type === 'reaction' ? '' : 'type';
    const list = o.type === 'button' ? o.action.buttons?.map((x) => x.reply) : o.action.sections?.flatMap((s) => s.rows);
    if (!o.body?.text || o.body.text.length > 1024 || !list?.length || list.length > (o.type === 'button' ? 3 : 10)) return 'interactive';
    return list.every((x) => x.id && x.title && [...x.title].length <= (o.type === 'button' ? 20 : 24)) ? '' : 'title';
  }
  #text(type, o) {
    if (type === 'text') return o.body;
    if (type === 'interactive') return [o.body.text, ...(o.action.buttons?.map((b) => b.reply.title) ?? o.action.sections.flatMap((s) => s.rows.map((r) => r.title))).map((t) => `[${t}]`)].join('\n');
    return `[${type}] ${o.name ?? o.caption ?? o.id ?? ''}`.trim();
  }

  // --- webhooks -------------------------------------------------------------------
  #post(value, what) {
    const raw = escaped({ object: 'whatsapp_business_account', entry: [{ id: 'WABA1', changes: [{ field: 'messages', value: { messaging_product: 'whatsapp', metadata: { display_phone_number: '15550001', phone_number_id: this.settings.phone_number_id }, ...value } }] }] });
    const make = (forged) => ({ body: raw, headers: { 'content-type': 'application/json', 'x-hub-signature-256': 'sha256=' + hmac(forged ? 'somebody-elses' : this.settings.app_secret, raw) } });
    return this.push(what, make, { takes: (a) => a.status === 200, tries: [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000], deadline_ms: 10_000 }).then((a) => ({ ...a, id: what }));
  }
  tells(id, user, status, errors) {
    return this.#post({ statuses: [{ id, status, timestamp: String(this.now_s()), recipient_id: user, ...(errors ? { errors } : {}) }] }, `${status}:${id}`);
  }
  says(user = this.settings.customer, message = '你好', name) {
    const c = this.heard(user, name);
    const m = typeof message === 'string' ? { type: 'text', text: message } : message;
    const id = 'wamid.' + hex(16);
    this.said.set(id, user);
    const file = (mime) => ({ id: m.gone ? hex(16) : this.keep_file(m.name ?? 'file.bin', m.mime ?? mime, m.data ?? png()), mime_type: m.mime ?? mime, caption: m.text, filename: m.name });
    const type = { file: 'document', voice: 'audio', press: 'interactive' }[m.type] ?? m.type;
    const body = { text: () => ({ body: m.text }), image: () => file('image/jpeg'), document: () => file('application/pdf'), audio: () => file('audio/ogg'), video: () => file('video/mp4'), location: () => ({ latitude: m.lat, longitude: m.lng, name: m.label }), interactive: () => ({ type: 'button_reply', button_reply: { id: m.data, title: m.text } }) }[type];
    if (!body) throw new Error(`whatsapp: nobody can send ${m.type}`);
    return this.#post({ contacts: [{ wa_id: user, profile: { name: c.name } }], messages: [{ from: user, id, timestamp: String(this.now_s()), type, [type]: body() }] }, id);
  }
  async verify() {
    const challenge = String(Math.floor(Math.random() * 1e9));
    const make = () => ({ method: 'GET', query: { 'hub.mode': 'subscribe', 'hub.verify_token': this.settings.verify_token, 'hub.challenge': challenge } });
    return (await this.push('verify', make, { takes: (r) => r.status === 200 && r.body === challenge })).taken;
  }
}

export const start = (given) => new WhatsApp(given).open();
