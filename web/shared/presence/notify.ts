// SPDX-License-Identifier: Apache-2.0
// Desktop notices. On plain http the API does not exist or always refuses:
// `support()` lets the page say 需要 HTTPS instead of failing silently.
export type Support = 'granted' | 'ask' | 'denied' | 'https';

export function support(): Support {
  if (typeof Notification === 'undefined' || !window.isSecureContext) return 'https';
  return Notification.permission === 'granted' ? 'granted' : Notification.permission === 'denied' ? 'denied' : 'ask';
}

export async function askNotices(): Promise<Support> {
  if (support() === 'ask') await Notification.requestPermission();
  return support();
}

export function notice(o: { tag: string; title: string; body: string; onClick: () => void }): void {
  if (support() !== 'granted') return;
  try {
    const n = new Notification(o.title, { body: o.body.slice(0, 40), tag: o.tag, silent: true });
    n.onclick = () => {
      window.focus();
      o.onClick();
      n.close();
    };
  } catch {
    // Android Chrome only allows it from a service worker
  }
}
