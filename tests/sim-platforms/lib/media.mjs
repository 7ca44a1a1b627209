// SPDX-License-Identifier: Apache-2.0
// What platforms look at in a file: its first bytes, and its size. And files of
// each kind for tests, whole enough for whoever looks into them.
import { deflateSync } from 'node:zlib';

const MB = 1 << 20;
const has = (data, at, text) => data.subarray(at, at + text.length).toString('latin1') === text;

/** "image/png" by its content; "" for what no platform here looks for. */
export function type_of(data) {
  if (has(data, 0, '\x89PNG\r\n\x1a\n')) return 'image/png';
  if (has(data, 0, '\xff\xd8\xff')) return 'image/jpeg';
  if (has(data, 0, 'GIF8')) return 'image/gif';
  if (has(data, 0, 'BM')) return 'image/bmp';
  if (has(data, 0, 'RIFF') && has(data, 8, 'WEBP')) return 'image/webp';
  if (has(data, 4, 'ftyp')) return 'video/mp4';
  if (has(data, 0, '#!AMR')) return 'audio/amr';
  if (has(data, 0, 'OggS')) return 'audio/ogg';
  if (has(data, 0, 'ID3') || (data[0] === 0xff && (data[1] & 0xe0) === 0xe0)) return 'audio/mpeg';
  if (has(data, 0, '%PDF')) return 'application/pdf';
  return '';
}

/** Why a platform refuses a file: "size", "type", or null. rule: [MB, types…] */
export function misfit(data, [most, ...types], least = 1) {
  if (data.length > most * MB || data.length < least) return 'size';
  return types.length && !types.includes(type_of(data)) ? 'type' : null;
}

/** The answer that is a file, with its name. */
export const as_file = (m) => ({ status: 200, headers: { 'content-type': m.type, 'content-disposition': `attachment; filename="${encodeURIComponent(m.name)}"` }, body: m.data });

// --- files for tests ------------------------------------------------------------
function crc32(data) {
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
/** A picture of one colour; another `shade`, other bytes. */
export function png(width = 8, height = 8, shade = 128) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc((width * 3 + 1) * height, shade);
  for (let y = 0; y < height; y++) rows[y * (width * 3 + 1)] = 0;
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}
export const amr = (bytes = 320) => Buffer.concat([Buffer.from('#!AMR\n'), Buffer.alloc(bytes, 0x3c)]);
export const mp4 = (bytes = 400) => Buffer.concat([Buffer.from('0000001866747970', 'hex'), Buffer.from('isom\0\0\x02\0isommp41', 'latin1'), Buffer.from([0, 0, 1, 0x90]), Buffer.from('mdat'), Buffer.alloc(bytes)]);
export const pdf = (text = 'Rechnung') => Buffer.from(`%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n% ${text}\ntrailer<</Root 1 0 R>>\n%%EOF\n`);
/** A page of Ogg with the head of an Opus stream, as recorders make it. */
export const ogg = (shade = 0) => Buffer.concat([Buffer.from('4f6767530002' + '0000000000000000' + '01000000' + '00000000' + '00000000' + '0113', 'hex'), Buffer.from('OpusHead\x01\x01', 'latin1'), Buffer.from([0x38, 0x01, 0x80, 0xbb, 0, 0, 0, 0, 0]), Buffer.alloc(200, shade)]);
