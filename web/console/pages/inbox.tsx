// SPDX-License-Identifier: Apache-2.0
import { useEffect } from 'preact/hooks';
import { bindHotkeys } from '../../shared/hotkeys.ts';
import { t } from '../../shared/i18n.ts';
import { go, path } from '../../shared/router.ts';
import { ConvList, searchField, step } from '../parts/list.tsx';
import { Details, detailsOpen } from '../parts/details.tsx';
import { focusReply } from '../parts/replybox.tsx';
import { Thread } from '../parts/thread.tsx';
import { Transfer, transferOpen } from '../parts/transfer.tsx';
import * as thread from '../stores/thread.ts';
import { signal } from '@preact/signals';

const listFolded = signal(false);

function useKeys(): void {
  useEffect(() => {
    const open = () => thread.openId.value !== null;
    const ends = () => open() && thread.current.value?.state !== 'closed';
    return bindHotkeys([
      { keys: 'KeyJ', label: 'keys.next', run: () => step(1) },
      { keys: 'KeyK', label: 'keys.prev', run: () => step(-1) },
      { keys: 'Alt+KeyJ', label: 'keys.next', inFields: true, run: () => step(1) },
      { keys: 'Alt+KeyK', label: 'keys.prev', inFields: true, run: () => step(-1) },
      { keys: 'Alt+ArrowDown', label: 'keys.next', inFields: true, run: () => step(1) },
      { keys: 'Alt+ArrowUp', label: 'keys.prev', inFields: true, run: () => step(-1) },
      { keys: 'KeyR', label: 'keys.reply', when: open, run: () => focusReply('reply') },
      { keys: 'KeyN', label: 'keys.note', when: open, run: () => focusReply('note') },
      { keys: 'Slash', label: 'keys.search', run: () => searchField.current?.focus() },
      { keys: 'KeyE', label: 'keys.end', when: ends, run: () => void thread.close() },
      { keys: 'Alt+KeyE', label: 'keys.end', inFields: true, when: ends, run: () => void thread.close() },
      { keys: 'KeyT', label: 'keys.transfer', when: ends, run: () => (transferOpen.value = true) },
      { keys: 'KeyM', label: 'keys.take', when: ends, run: () => void thread.takeIt() },
      { keys: 'BracketLeft', label: 'keys.fold', run: () => (listFolded.value = !listFolded.value) },
      { keys: 'BracketRight', label: 'keys.details', run: () => (detailsOpen.value = !detailsOpen.value) },
      { keys: 'Escape', label: 'keys.leave', when: open, run: () => (matchMedia('(max-width: 1099px)').matches && detailsOpen.value ? (detailsOpen.value = false) : go('/')) },
    ]);
  }, []);
}

export function InboxPage() {
  useKeys();
  const p = path.value;
  const id = p.startsWith('/c/') ? decodeURIComponent(p.slice(3)) : null;
  useEffect(() => {
    thread.open(id);
  }, [id]);
  const cls = ['inbox', id ? 'has-thread' : '', listFolded.value ? 'folded' : '', detailsOpen.value && id ? 'has-details' : ''].join(' ');
  return (
    <main class={cls}>
      <h1 class="sr">{t('nav.inbox')}</h1>
      <ConvList />
      <Thread />
      {detailsOpen.value && id && (
        <>
          <div class="drawer-scrim" onClick={() => (detailsOpen.value = false)} />
          <Details />
        </>
      )}
      {transferOpen.value && id && <Transfer />}
    </main>
  );
}
