// SPDX-License-Identifier: Apache-2.0
// Signatures and seals, from the platforms' documents, by node:crypto.
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export const sha1 = (...parts) => createHash('sha1').update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest('hex');
export const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((p) => Buffer.from(p)))).digest('hex');
export const hmac = (key, data, form = 'hex') => createHmac('sha256', key).update(data).digest(form);
export const same = (a, b) => {
  const [x, y] = [Buffer.from(String(a)), Buffer.from(String(b))];
  return x.length === y.length && timingSafeEqual(x, y);
};

/** WeChat's: sorted bytewise, joined, SHA-1. */
export const sorted_sha1 = (...parts) => sha1(parts.map(String).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).join(''));

const key_of = (encoding_aes_key) => Buffer.from(encoding_aes_key + '=', 'base64').subarray(0, 32);

/** random(16) length(4) message id, padded to 32, AES-256-CBC, IV = key[0..15]. */
export function seal(encoding_aes_key, message, id, random = randomBytes(16)) {
  const key = key_of(encoding_aes_key);
  const text = Buffer.from(message);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(text.length);
  const full = Buffer.concat([Buffer.from(random), size, text, Buffer.from(id)]);
  const pad = 32 - (full.length % 32);
  const c = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  return Buffer.concat([c.update(Buffer.concat([full, Buffer.alloc(pad, pad)])), c.final()]).toString('base64');
}

/** {message, id}; throws if it was sealed under another key. */
export function open(encoding_aes_key, sealed) {
  const key = key_of(encoding_aes_key);
  const d = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const full = Buffer.concat([d.update(Buffer.from(sealed, 'base64')), d.final()]);
  const pad = full[full.length - 1];
  if (pad < 1 || pad > 32) throw new Error('the padding is wrong');
  const length = full.readUInt32BE(16);
  const end = full.length - pad;
  if (20 + length > end) throw new Error('the length is wrong');
  return { message: full.subarray(20, 20 + length).toString(), id: full.subarray(20 + length, end).toString() };
}

/** Feishu's: AES-256-CBC under SHA-256 of the key, the IV in front. */
export function lark_seal(key, message, iv = randomBytes(16)) {
  const c = createCipheriv('aes-256-cbc', createHash('sha256').update(key).digest(), iv);
  return Buffer.concat([iv, c.update(message), c.final()]).toString('base64');
}
export function lark_open(key, sealed) {
  const all = Buffer.from(sealed, 'base64');
  const d = createDecipheriv('aes-256-cbc', createHash('sha256').update(key).digest(), all.subarray(0, 16));
  return Buffer.concat([d.update(all.subarray(16)), d.final()]).toString();
}

const cdata = (v) => `<![CDATA[${String(v).replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
/** A flat <xml> as WeChat writes it: numbers bare, the rest in CDATA. */
export const to_xml = (o) => '<xml>' + Object.entries(o).map(([k, v]) => `<${k}>${typeof v === 'number' || typeof v === 'bigint' ? v : cdata(v)}</${k}>`).join('\n') + '</xml>';
/** One level of such an <xml>; nested elements stay text. */
export function from_xml(xml) {
  const inner = /^\s*<xml>([\s\S]*)<\/xml>\s*$/.exec(xml)?.[1];
  if (inner === undefined) return undefined;
  const out = {};
  for (const [, name, value] of inner.matchAll(/<(\w+)>((?:<!\[CDATA\[[\s\S]*?\]\]>|(?!<\/\1>)[\s\S])*)<\/\1>/g)) {
    out[name] = value.replaceAll(/<!\[CDATA\[([\s\S]*?)\]\]>/g, '$1').trim();
  }
  return out;
}
