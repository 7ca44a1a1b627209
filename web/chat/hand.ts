// SPDX-License-Identifier: Apache-2.0
// The visitor's files: the tray in this page. Comes with the first focus, drag
// or press of the button, or at once if files are left from before a reload; takes what it needs, so that nothing is shared with
// the first load.
import type { Visitor } from '../sdk/visitor.ts';
import type { Drafts } from '../shared/composer/drafts.ts';
import { attach, type Attached, Keep, Tray } from '../shared/composer/files/index.ts';
import type { Around } from '../shared/message/media.ts';

export function hand(visitor: () => Visitor, at: HTMLElement, around: Around, drafts: Drafts, newRef: () => string): Attached {
  // The channel's own policy; without it the server says so after the bytes.
  let file_types: string | undefined;
  void fetch(location.pathname + '/config')
    .then((r) => r.json())
    .then((c: { config?: { file_types?: string } }) => (file_types = c.config && c.config.file_types))
    .catch(() => undefined);
  // Said where the page looks first: the database may be another's on this site.
  const holds = (any: boolean) => {
    if (any === drafts.has('files')) return;
    if (any) drafts.set('files', '1');
    else drafts.drop('files');
    drafts.flush();
  };
  const tray = new Tray({
    newRef,
    keep: new Keep(() => ({ place: location.pathname, who: visitor().you!.id || '', tray: '' }), holds),
    limits: () => ({ file_bytes: visitor().session.limits.file_bytes, file_types }),
    token: () => visitor().token,
    conversation: () => {
      const c = visitor().conversation;
      return c && c.state !== 'closed' ? c.id : undefined;
    },
    onFile: (f, kind, ref) => void (visitor().outbox.find(ref) || visitor().outbox.add({ kind, file: f.id, info: f, ref })),
  });
  const on = attach({ tray, at, target: document.body, lang: () => document.documentElement.lang, drawn: () => around.drawn && around.drawn() });
  // The limit is told where the button is, before anything is chosen.
  const button = at.parentNode!.querySelector<HTMLElement>('.composer > .icon-btn');
  const label = () => button && (button.title = on.label());
  label();
  if (button) button.onpointerenter = label;
  return on;
}
