// SPDX-License-Identifier: Apache-2.0
// The visitor's files: the tray in this page. Comes with the first focus, drag
// or press of the button; takes what it needs, so that nothing is shared with
// the first load.
import type { Visitor } from '../sdk/visitor.ts';
import { attach, type Attached, Tray } from '../shared/composer/files/index.ts';
import type { Around } from '../shared/message/media.ts';

export function hand(visitor: () => Visitor, at: HTMLElement, around: Around): Attached {
  // The channel's own policy; without it the server says so after the bytes.
  let file_types: string | undefined;
  void fetch(location.pathname + '/config')
    .then((r) => r.json())
    .then((c: { config?: { file_types?: string } }) => (file_types = c.config && c.config.file_types))
    .catch(() => undefined);
  const tray = new Tray({
    limits: () => ({ file_bytes: visitor().session.limits.file_bytes, file_types }),
    token: () => visitor().token,
    conversation: () => {
      const c = visitor().conversation;
      return c && c.state !== 'closed' ? c.id : undefined;
    },
    onFile: (f, kind) => void visitor().outbox.add({ kind, file: f.id, info: f }),
  });
  const on = attach({ tray, at, target: document.body, lang: () => document.documentElement.lang, drawn: () => around.drawn && around.drawn() });
  // The limit is told where the button is, before anything is chosen.
  const button = at.parentNode!.querySelector<HTMLElement>('.composer > .icon-btn');
  const label = () => button && (button.title = on.label());
  label();
  if (button) button.onpointerenter = label;
  return on;
}
