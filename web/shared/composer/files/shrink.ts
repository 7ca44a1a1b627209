// SPDX-License-Identifier: Apache-2.0
// A photograph of a phone, made small enough for a chat: 1920 px. What would
// not become clearly smaller, or cannot be drawn, goes as it is.
const FROM_BYTES = 600_000;
const MOST_PX = 1920;

export function canShrink(file: { type: string; size: number }): boolean {
  return /^image\/(jpeg|png)$/.test(file.type) && file.size > FROM_BYTES;
}

/** Old browsers draw a turned photograph as it lies: leave those to the server. */
function turnsPictures(type: string): boolean {
  return type === 'image/png' || (typeof CSS !== 'undefined' && CSS.supports('image-orientation', 'from-image'));
}

function load(file: File): Promise<HTMLImageElement> {
  const img = new Image();
  const url = URL.createObjectURL(file);
  return new Promise((ok, no) => {
    img.onload = () => (URL.revokeObjectURL(url), ok(img));
    img.onerror = () => (URL.revokeObjectURL(url), no(new Error('no picture')));
    img.src = url;
  });
}

export async function shrink(file: File): Promise<Blob> {
  if (!canShrink(file) || !turnsPictures(file.type)) return file;
  try {
    const img = await load(file);
    const k = Math.min(1, MOST_PX / Math.max(img.naturalWidth, img.naturalHeight));
    if (k === 1 && file.type === 'image/png') return file;
    const canvas = document.createElement('canvas');
    canvas.width = Math.round(img.naturalWidth * k);
    canvas.height = Math.round(img.naturalHeight * k);
    canvas.getContext('2d')!.drawImage(img, 0, 0, canvas.width, canvas.height);
    const small = await new Promise<Blob | null>((done) => canvas.toBlob(done, file.type, 0.85));
    return small && small.size < file.size * 0.9 ? small : file;
  } catch {
    return file; // the server says what is wrong with it
  }
}
