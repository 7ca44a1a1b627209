// SPDX-License-Identifier: Apache-2.0
// Static files as the real server serves them: gzip as built, strict CSP.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.json': 'application/json' };
export const CSP = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' ws: wss:";

function fileOf(path) {
  if (path === '/') return 'demo/index.html';
  if (path === '/console' || path.startsWith('/console/')) return 'console/index.html';
  if (/^\/chat\/[^/]+$/.test(path)) return 'chat/index.html';
  if (path === '/widget.js' || /^\/a\/[\w./-]+$/.test(path)) return path.slice(1);
  return null;
}

export function serveFile(req, res) {
  const name = fileOf(req.url.split('?')[0]);
  const file = name && !name.includes('..') && join(DIST, name);
  if (!file || !existsSync(file) || !statSync(file).isFile()) return res.writeHead(404).end();
  const gzip = /gzip/.test(req.headers['accept-encoding'] ?? '');
  res.writeHead(200, {
    'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream',
    'Cache-Control': name.startsWith('a/') ? 'public, max-age=31536000, immutable' : name === 'widget.js' ? 'max-age=300' : 'no-cache',
    'X-Content-Type-Options': 'nosniff',
    ...(gzip ? { 'Content-Encoding': 'gzip' } : {}),
    ...(name.endsWith('.html') ? { 'Content-Security-Policy': CSP + (name.startsWith('console') ? "; frame-ancestors 'none'" : '') } : {}),
  });
  res.end(readFileSync(gzip ? file + '.gz' : file));
}
