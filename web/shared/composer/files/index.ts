// SPDX-License-Identifier: Apache-2.0
// Files in a composer, loaded when somebody wants one (web/README.md):
//
//   const { Tray, attach } = await import('../shared/composer/files/index.ts');
//   const tray = new Tray({ limits, onFile, hold: true });    // one a conversation
//   const on = attach({ tray, at, target, lang });            // while it is seen
//   on.open(button);  tray.send();  on.detach();
import { acceptOf } from './limits.ts';
import { catchFiles, chooser } from './pick.ts';
import { MOST_FILES, type Tray } from './tray.ts';
import { CAMERA, CLIP, drawTray, icon, make, PHOTO, style } from './view.ts';
import { sizeText, wordsOf, type Word } from './words.ts';

export { Keep } from './keep.ts';
export { MOST_FILES, Tray, type TrayItem, type TrayOptions } from './tray.ts';
export type { FileLimits } from './limits.ts';

export interface AttachOptions {
  tray: Tray;
  /** Where the rows are drawn; its content is ours. */
  at: HTMLElement;
  /** Paste and drop are caught here; positioned, for the overlay. */
  target: HTMLElement;
  lang: () => string;
  /** False: nothing is taken now (closed, a dialog is open). */
  wanted?: () => boolean;
  /** The tray has another height now. */
  drawn?: () => void;
}

export interface Attached {
  /** The chooser; on a phone a sheet with the camera first. Call it in a click. */
  open(from: HTMLElement): void;
  /** For the button's title. */
  label(): string;
  detach(): void;
}

const isTouch = () => matchMedia('(pointer: coarse)').matches;

function sheet(word: Word, from: HTMLElement, limit: string, choices: [string, string, () => void][]): void {
  const scrim = make('div', document.body, 'files-scrim');
  const box = make('div', scrim, 'files-sheet');
  box.setAttribute('role', 'dialog');
  box.setAttribute('aria-modal', 'true');
  box.setAttribute('aria-label', word('attach', { limit }));
  const close = () => {
    if (scrim.parentNode) scrim.parentNode.removeChild(scrim);
    from.focus();
  };
  const button = (text: string, path: string, run: () => void, cls = '') => {
    const b = make('button', box, cls);
    b.type = 'button';
    if (path) icon(path, b);
    b.appendChild(document.createTextNode(text));
    b.onclick = () => {
      close();
      run();
    };
    return b;
  };
  const all = choices.map(([text, path, run]) => button(text, path, run));
  make('p', box, '').textContent = word('limit', { limit });
  all.push(button(word('cancel'), '', () => undefined, 'files-cancel'));
  scrim.onclick = (e) => {
    if (e.target === scrim) close();
  };
  scrim.onkeydown = (e) => {
    e.stopPropagation();
    if (e.key === 'Escape') close();
    if (e.key !== 'Tab') return;
    const first = all[0]!;
    const last = all[all.length - 1]!;
    if (e.shiftKey && document.activeElement === first) {
      e.preventDefault();
      last.focus();
    } else if (!e.shiftKey && document.activeElement === last) {
      e.preventDefault();
      first.focus();
    }
  };
  all[0]!.focus();
}

export function attach(o: AttachOptions): Attached {
  const word = wordsOf(o.lang);
  const limits = () => o.tray.o.limits();
  const limit = () => sizeText(limits().file_bytes);
  const undraw = drawTray(o.at, o.tray, word, o.drawn);
  let note: HTMLElement | null = null;
  const add = (files: File[]) => {
    const taken = o.tray.add(files);
    if (note && note.parentNode) note.parentNode.removeChild(note);
    note = null;
    if (taken === files.length) return;
    note = make('p', o.at, 'tray-note');
    note.setAttribute('role', 'alert');
    note.textContent = word('tooMany', { n: MOST_FILES });
  };
  let cover: HTMLElement | null = null;
  const uncatch = catchFiles(o.target, {
    wanted: () => limits().file_bytes > 0 && (!o.wanted || o.wanted()),
    onFiles: add,
    onOver: (over) => {
      if (over && !cover) {
        cover = make('div', o.target, 'files-drop');
        cover.textContent = word('drop');
      } else if (!over && cover) {
        o.target.removeChild(cover);
        cover = null;
      }
    },
  });
  const inputs: HTMLInputElement[] = [];
  const choose = (accept: string, capture = false) => {
    const input = chooser({ accept, capture, onFiles: add });
    inputs.push(input);
    document.body.appendChild(input);
    return () => input.click();
  };
  const accept = acceptOf(limits());
  const file = choose(accept);
  const pictures = !accept || /image\//.test(accept);
  const photos = choose(accept ? accept.split(',').filter((x) => /^(image|video)\//.test(x)).join(',') : 'image/*,video/*');
  const camera = choose('image/*', true);
  return {
    label: () => word('attach', { limit: limit() }),
    open(from) {
      if (!isTouch()) return file();
      style();
      const list: [string, string, () => void][] = [[word('file'), CLIP, file]];
      if (pictures) list.unshift([word('camera'), CAMERA, camera], [word('photos'), PHOTO, photos]);
      sheet(word, from, limit(), list);
    },
    detach() {
      uncatch();
      undraw();
      for (const i of inputs) if (i.parentNode) i.parentNode.removeChild(i);
    },
  };
}
