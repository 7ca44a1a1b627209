// SPDX-License-Identifier: Apache-2.0
// A short bell made by the audio engine itself: no file to load. Browsers
// keep it silent until the first click or key; `onBlocked` says so.

let tellBlocked: (blocked: boolean) => void = () => {};
export function onBlocked(fn: (blocked: boolean) => void): void {
  tellBlocked = fn;
}

let ctx: AudioContext | null = null;

function context(): AudioContext | null {
  const Ctor = window.AudioContext ?? (window as unknown as { webkitAudioContext?: typeof AudioContext }).webkitAudioContext;
  if (!Ctor) return null;
  if (!ctx) ctx = new Ctor();
  return ctx;
}

export function unlock(): void {
  const c = context();
  if (!c) return;
  void c.resume().then(() => tellBlocked(c.state !== 'running'));
}

export function armSound(): void {
  for (const ev of ['pointerdown', 'keydown']) addEventListener(ev, unlock, { once: true, capture: true });
}

export function play(kind: 'message' | 'queue', volume = 0.5): void {
  const c = context();
  if (!c) return;
  if (c.state !== 'running') {
    tellBlocked(true);
    return;
  }
  const notes = kind === 'queue' ? [660, 880, 660] : [740, 988];
  notes.forEach((freq, i) => {
    const at = c.currentTime + i * 0.13;
    const osc = c.createOscillator();
    const gain = c.createGain();
    osc.type = 'sine';
    osc.frequency.value = freq;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(volume * 0.4, at + 0.012);
    gain.gain.exponentialRampToValueAtTime(0.0008, at + 0.32);
    osc.connect(gain).connect(c.destination);
    osc.start(at);
    osc.stop(at + 0.34);
  });
}
