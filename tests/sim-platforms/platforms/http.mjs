// SPDX-License-Identifier: Apache-2.0
// A shop's own system on the generic HTTP channel: Standard Webhooks both ways.
import { hmac, same } from '../lib/crypto.mjs';
import { png } from '../lib/media.mjs';
import { Platform, hex, json, multipart, parse } from '../lib/platform.mjs';

const TOLERANCE_S = 300;

class Http extends Platform {
  constructor(given) {
    super('http', given, { secret: 'whsec_' + Buffer.from(hex(16)).toString('base64'), customer: 'anna', receipts: false });
    this.ids = new Map();
    this.on_call('POST', '/in', (c) => this.#take(c));
    this.on_call('GET', /^\/file\/(\w+)$/, (c) => this.#give(c));
  }
  get config() {
    return { url: this.url + '/in', secret: this.settings.secret };
  }
  get key() {
    return Buffer.from(this.settings.secret.replace(/^whsec_/, ''), 'base64');
  }
  /** Null for who proves to be the house over this text, else why not. */
  #stranger(h, signed) {
    const [id, ts] = [h['webhook-id'], h['webhook-timestamp']];
    const mine = 'v1,' + hmac(this.key, `${id}.${ts}.${signed}`, 'base64');
    if (!id || !(h['webhook-signature'] ?? '').split(' ').some((s) => same(s, mine))) return 'the signature is wrong';
    return Math.abs(this.now_s() - Number(ts)) > TOLERANCE_S ? 'the timestamp is old' : null;
  }
  /** A customer's file, for the house only. */
  #give(c) {
    const why = this.#stranger(c.headers, '');
    if (why) return (this.refuse(why, c.path), json({ error: why }, 401));
    if (this.faults.media > 0 && this.faults.media--) return json({ error: 'not now' }, 503);
    const m = this.media.get(c.part[0]);
    return m ? { status: 200, headers: { 'content-type': m.type }, body: m.data } : { status: 404, known: true };
  }
  async #file_of(data, form) {
    if (form) return form.data ? this.keep_file(form.name, form.type, form.data) : null;
    const res = await fetch(this.settings.reach?.(data.file.url) ?? data.file.url);
    return res.ok ? this.keep_file(data.file.name, res.headers.get('content-type'), Buffer.from(await res.arrayBuffer())) : null;
  }
  async #take(c) {
    const h = c.headers;
    const refuse = (status, why) => (this.refuse(why, c.body.toString('latin1', 0, 200)), json({ error: why }, status));
    const id = h['webhook-id'];
    const form = /^multipart/.test(h['content-type'] ?? '') ? multipart(c) : undefined;
    const event = form ? form.fields.event : c.body.toString();
    const why = this.#stranger(h, event);
    if (why) return refuse(401, why);
    if (this.is_throttled()) return json({ error: 'slow down' }, 429, { 'retry-after': '1' });
    const planned = this.planned_error();
    if (planned !== undefined) return refuse(planned, 'planned');
    const b = parse(event);
    if (b?.type !== 'message.created' || !b.data?.to) return refuse(400, 'no message');
    if (!this.customers.has(b.data.to)) return refuse(404, 'nobody of that name');
    if (this.ids.has(id)) return json({ id: this.ids.get(id), again: true }); // the same delivery
    const file = b.data.file ? await this.#file_of(b.data, form) : undefined;
    if (file === null) return refuse(400, 'the file cannot be had');
    const ours = hex(8);
    this.ids.set(id, ours);
    this.show(b.data.to, { kind: b.data.kind, text: b.data.text ?? `[${b.data.kind}]`, id: ours, ref: id, file, name: b.data.file?.name });
    if (this.settings.receipts) void this.tells(ours, 'delivered');
    return json({ id: ours });
  }
  #post(data, what, path = '') {
    const raw = JSON.stringify(path ? data : { type: 'message.created', timestamp: new Date(this.now()).toISOString(), data });
    const make = (forged) => {
      const ts = String(this.now_s());
      return { body: raw, headers: { 'content-type': 'application/json', 'webhook-id': what, 'webhook-timestamp': ts, 'webhook-signature': 'v1,' + hmac(forged ? Buffer.from('somebody-elses') : this.key, `${what}.${ts}.${raw}`, 'base64') } };
    };
    return this.push(what, make, { path, tries: [1000, 2000, 4000, 8000] }).then((a) => ({ ...a, id: what }));
  }
  tells(sent, status, why) {
    return this.#post({ sent, status, why }, 'r' + hex(8), '/receipts');
  }
  says(user = this.settings.customer, message = '你好', name) {
    const c = this.heard(user, name);
    const m = typeof message === 'string' ? { type: 'text', text: message } : message;
    const id = 'm' + hex(10);
    const body = { id, from: user, from_name: c.name === user ? undefined : c.name, kind: m.type, text: m.text, lat: m.lat, lng: m.lng, label: m.label };
    if (['image', 'file', 'audio', 'video'].includes(m.type)) {
      const data = m.data ?? png();
      Object.assign(body, { name: m.name ?? 'a.png', mime: m.mime }, m.inline ? { data: data.toString('base64') } : { url: m.link ?? `${this.url}/file/${m.gone ? hex(16) : this.keep_file(m.name ?? 'a.png', m.mime ?? 'image/png', data)}` });
    }
    return this.#post(body, id);
  }
  async verify() {
    return true; // there is no handshake
  }
}

export const start = (given) => new Http(given).open();
