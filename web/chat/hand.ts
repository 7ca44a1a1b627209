// SPDX-License-Identifier: Apache-2.0
// The visitor's files: the tray in this page. Comes with the first focus, drag
// or press of the button; takes what it needs, so that nothing is shared with
// the first load.
import type { Visitor } from '../sdk/visitor.ts';
import { attach, type Attached, Tray } from '../shared/composer/files/index.ts';
import type { Around } from '../shared/message/media.ts';

export function hand(visitor: () => Visitor, at: HTMLElement, around: Around): Attached {
  const tray = new Tray({
    limits: () => visitor().session.limits,
    token: () => visitor().token,
    conversation: () => {
      const c = visitor().conversation;
      return c && c.state !== 'closed' ? c.id : undefined;
    },
    onFile: (f, kind) => void visitor().outbox.add({ kind, file: f.id, info: f }),
  });
  return attach({ tray, at, target: document.body, lang: () => document.documentElement.lang, drawn: () => around.drawn && around.drawn() });
}
