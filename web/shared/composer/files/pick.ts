// SPDX-License-Identifier: Apache-2.0
// Where files come from: paste, drag and the system's chooser. One handler for
// each; `files` first, `items` only if that is empty (a pasted picture is in
// both); each a fresh File, because some browsers hand out the clipboard's
// old one again.

export function filesOf(d: DataTransfer | null): File[] {
  if (!d) return [];
  let list = Array.from(d.files || []);
  if (!list.length && d.items)
    list = Array.from(d.items)
      .filter((i) => i.kind === 'file')
      .map((i) => i.getAsFile())
      .filter((f): f is File => !!f);
  return list.map((f) => new File([f], named(f), { type: f.type, lastModified: f.lastModified }));
}

let pasted = 0;
/** Clipboards call every picture image.png. */
function named(f: File): string {
  if (f.name && f.name !== 'image.png') return f.name;
  const end = /\/(\w+)/.exec(f.type);
  return 'image-' + ++pasted + '.' + (end ? end[1]!.replace('jpeg', 'jpg') : 'png');
}

function hasFiles(d: DataTransfer | null): boolean {
  return !!d && Array.from(d.types || []).indexOf('Files') >= 0;
}

export interface Catch {
  onFiles: (files: File[]) => void;
  /** Files are held above the target, or not any more. */
  onOver: (over: boolean) => void;
  /** False: neither paste nor drop is taken now. */
  wanted: () => boolean;
}

/** Pasted into `target` or dropped on it. Returns what ends it. */
export function catchFiles(target: HTMLElement, c: Catch): () => void {
  // dragover comes all the time while files are held above; enter and leave
  // miscount among children.
  let gone: ReturnType<typeof setTimeout> | undefined;
  const over = (yes: boolean) => {
    clearTimeout(gone);
    if (yes) gone = setTimeout(() => over(false), 600);
    c.onOver(yes);
  };
  const on: { [k: string]: (e: Event) => void } = {
    paste(e) {
      const files = filesOf((e as ClipboardEvent).clipboardData);
      const d = (e as ClipboardEvent).clipboardData;
      // Office puts a picture of the words beside the words.
      if (!files.length || !c.wanted() || (d && d.getData('text/plain').trim())) return;
      e.preventDefault();
      c.onFiles(files);
    },
    dragover(e) {
      const d = (e as DragEvent).dataTransfer;
      if (!hasFiles(d)) return;
      e.preventDefault(); // else the browser goes to the file
      d!.dropEffect = c.wanted() ? 'copy' : 'none';
      if (c.wanted()) over(true);
    },
    drop(e) {
      const d = (e as DragEvent).dataTransfer;
      over(false);
      if (!hasFiles(d)) return;
      e.preventDefault();
      const files = filesOf(d);
      if (c.wanted() && files.length) c.onFiles(files);
    },
  };
  for (const k of Object.keys(on)) target.addEventListener(k, on[k]!);
  return () => {
    for (const k of Object.keys(on)) target.removeEventListener(k, on[k]!);
    over(false);
  };
}

export interface Choice {
  accept?: string;
  /** The camera at once (phones). */
  capture?: boolean;
  onFiles: (files: File[]) => void;
}

/** A hidden chooser; within a click, open it with .click(). */
export function chooser(o: Choice): HTMLInputElement {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = !o.capture;
  if (o.accept) input.accept = o.accept;
  if (o.capture) input.setAttribute('capture', 'environment');
  input.tabIndex = -1;
  input.setAttribute('aria-hidden', 'true');
  input.className = 'sr';
  input.onchange = () => {
    const files = Array.from(input.files || []);
    input.value = ''; // the same file may be chosen again
    if (files.length) o.onFiles(files);
  };
  return input;
}
