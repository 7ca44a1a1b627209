// SPDX-License-Identifier: Apache-2.0
// Files of messages: who may have them, signed links that end, and bytes that
// browsers really draw and play.
import * as zlib from 'node:zlib';
import { json, newId } from './fake-server.mjs';

function crc32(data) {
  if (zlib.crc32) return zlib.crc32(data); // Node 18 has none
  let c = ~0;
  for (const b of data) {
    c ^= b;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  return ~c >>> 0;
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

export function picture(name, width, height) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = y * (width * 3 + 1) + 1 + x * 3;
      rows[at] = (x * 255) / width;
      rows[at + 1] = (y * 255) / height;
      rows[at + 2] = 160;
    }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const bytes = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('IDAT', zlib.deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
  return { ...plain(name, 'image/png', bytes), width, height, thumb: true };
}

/** One second of a quiet tone. */
export function sound(name) {
  const rate = 8000;
  const b = Buffer.alloc(44 + rate, 128);
  b.write('RIFF', 0);
  b.writeUInt32LE(36 + rate, 4);
  b.write('WAVEfmt ', 8);
  b.writeUInt32LE(16, 16);
  b.writeUInt16LE(1, 20);
  b.writeUInt16LE(1, 22);
  b.writeUInt32LE(rate, 24);
  b.writeUInt32LE(rate, 28);
  b.writeUInt16LE(1, 32);
  b.writeUInt16LE(8, 34);
  b.write('data', 36);
  b.writeUInt32LE(rate, 40);
  for (let i = 0; i < rate; i++) b[44 + i] = 128 + 4 * Math.sin(i / 3);
  return plain(name, 'audio/wav', b);
}

export function plain(name, mime, bytes) {
  return { id: newId('f'), name, mime, size: bytes.length, thumb: false, bytes };
}

function agentOf(f, req) {
  return f.agents.get(f.cookies.get(/yl=(\w+)/.exec(req.headers.cookie ?? '')?.[1]));
}

/** GET /api/v1/files/<id> */
export function linksOf(f, req, res) {
  const token = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1];
  if (f.restFails) return json(res, 503, { error: { code: 'unavailable', message: 'the store is away' } });
  if (!f.visitors.has(token) && !agentOf(f, req)) return json(res, 401, { error: { code: 'unauthorized', message: 'who are you?' } });
  const { bytes, ...file } = f.files.get(req.url.split('/').pop()) ?? {};
  if (!bytes) return json(res, 404, { error: { code: 'not_found', message: 'no such file' } });
  const until = Date.now() + (f.overLinks-- > 0 ? -1000 : 3_600_000);
  const url = (thumb) => `/files/${file.id}?${thumb ? 'thumb=1&' : ''}e=${until}&s=signed${file.id}`;
  json(res, 200, { ...file, url: url(false), thumb_url: file.thumb ? url(true) : null, url_expires_at: until });
}

/** GET /files/<id>: by cookie, or by a link that is not over. */
export function serveMedia(f, req, res) {
  const url = new URL(req.url, 'http://x');
  const id = url.pathname.split('/')[2];
  const q = url.searchParams;
  const good = q.has('s') ? q.get('s') === 'signed' + id && Number(q.get('e')) > Date.now() : agentOf(f, req);
  const file = f.files.get(id);
  if (!good || !file) return res.writeHead(good ? 404 : 403).end();
  const inert = /^(image\/(png|jpeg|gif|webp)|audio\/|video\/)/.test(file.mime);
  res.writeHead(200, {
    'Content-Type': file.mime,
    'Content-Length': file.bytes.length,
    'Cache-Control': 'private, no-cache',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Content-Disposition': `${inert ? 'inline' : 'attachment'}; filename*=UTF-8''${encodeURIComponent(file.name)}`,
  });
  res.end(file.bytes);
}

/** One upload in one request; f.uploading may hold it back, or refuse it. */
export async function takeUpload(f, req, res) {
  const parts = [];
  try {
    for await (const part of req) parts.push(part);
  } catch {
    return; // the browser gave it up
  }
  const body = Buffer.concat(parts);
  const head = /name="file"; filename="([^"]*)"\r\nContent-Type: ([^\r]*)\r\n\r\n/.exec(body.toString('latin1'));
  const from = head.index + head[0].length;
  const bytes = body.subarray(from, body.indexOf('\r\n--', from));
  const file = { ...plain(Buffer.from(head[1], 'latin1').toString(), head[2], bytes) };
  f.orders.push('upload ' + file.name);
  const refused = await f.uploading?.(file);
  if (refused) return json(res, refused.status, { error: { code: refused.code, message: refused.message } });
  f.files.set(file.id, file);
  const { bytes: _, ...info } = file;
  json(res, 201, info);
}
