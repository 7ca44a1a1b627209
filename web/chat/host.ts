// SPDX-License-Identifier: Apache-2.0
// The page around us, when the loader put us in an iframe. The visitor's
// token, drafts and outbox live in *its* localStorage (third-party storage
// may be blocked here); they come with `init` and go back write by write.
// Origins are exact: we answer only the window and origin that said `init`.
import { MemoryStore } from '../sdk/storage.ts';
import type { PageInfo } from '../sdk/types.ts';

export interface Init {
  store: Record<string, string>;
  lang?: string;
  title?: string;
  color?: string;
  theme?: string;
  page?: PageInfo;
  identity?: unknown;
  open: boolean;
}

type ToChat = ({ yl: 'init' } & Init) | { yl: 'open' } | { yl: 'close' } | { yl: 'identify'; identity: unknown };
type ToHost = { yl: 'set'; key: string; value: string | null } | { yl: 'unread'; n: number } | { yl: 'close' } | { yl: 'ready' } | { yl: 'message'; text: string };

export class HostStore extends MemoryStore {
  constructor(
    seed: Record<string, string>,
    private host: Host,
  ) {
    super();
    for (const k of Object.keys(seed)) super.set(k, seed[k]!);
  }
  override set(key: string, value: string): void {
    super.set(key, value);
    this.host.post({ yl: 'set', key, value });
  }
  override del(key: string): void {
    super.del(key);
    this.host.post({ yl: 'set', key, value: null });
  }
}

export class Host {
  readonly embedded = window.parent !== window && location.hash === '#embed';
  private origin = '';
  onOpen: (open: boolean) => void = () => {};
  onIdentify: (identity: unknown) => void = () => {};

  /** Resolves when the loader spoke. */
  init(): Promise<Init> {
    return new Promise((done) => {
      addEventListener('message', (e) => {
        const d = e.data as ToChat | null;
        if (e.source !== window.parent || !d || typeof d.yl !== 'string') return;
        if (d.yl === 'init') {
          if (this.origin !== '') return;
          this.origin = e.origin;
          done(d);
          this.post({ yl: 'ready' });
        } else if (e.origin !== this.origin) return;
        else if (d.yl === 'open' || d.yl === 'close') this.onOpen(d.yl === 'open');
        else if (d.yl === 'identify') this.onIdentify(d.identity);
      });
    });
  }

  post(m: ToHost): void {
    if (this.origin !== '' && this.origin !== 'null') window.parent.postMessage(m, this.origin);
  }
}
