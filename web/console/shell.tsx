// SPDX-License-Identifier: Apache-2.0
// The frame around the pages: rail, banners, the page, dialogs over all.
import { signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { bindHotkeys } from '../shared/hotkeys.ts';
import * as I from '../shared/icons.tsx';
import { t } from '../shared/i18n.ts';
import { Empty, Late } from '../shared/kit/bits.tsx';
import { go, path } from '../shared/router.ts';
import { InboxPage } from './pages/inbox.tsx';
import { LoginDialog, LoginPage } from './pages/login.tsx';
import { Banners, Toasts } from './parts/banners.tsx';
import { Help, helpOpen } from './parts/help.tsx';
import { Rail } from './parts/rail.tsx';
import * as app from './stores/app.ts';

const Scripts = signal<ComponentType | null>(null);

function loadScripts(): void {
  import('./pages/scripts.tsx').then(
    (m) => (Scripts.value = m.ScriptsPage),
    () => (app.outdated.value = true), // a newer build took its files away
  );
}

function Page() {
  if (path.value.startsWith('/scripts')) {
    const S = Scripts.value;
    if (S) return <S />;
    loadScripts();
    return <main class="page" />;
  }
  return <InboxPage />;
}

export function Shell() {
  useEffect(
    () =>
      bindHotkeys([
        { keys: 'Shift+Slash', label: 'keys.help', run: () => (helpOpen.value = !helpOpen.value) },
        { keys: 'KeyG KeyI', label: 'keys.goInbox', run: () => go('/') },
        { keys: 'KeyG KeyP', label: 'keys.goScripts', run: () => go('/scripts') },
      ]),
    [],
  );
  const phase = app.phase.value;
  if (phase === 'boot') return <Late><div class="boot"><span class="spin" /></div></Late>;
  if (phase === 'login') return <LoginPage />;
  if (phase === 'error') {
    return (
      <main class="boot">
        <Empty icon={I.wifi} title={t('boot.failed')} text={t('boot.failedText')}>
          <button class="btn" onClick={() => void app.boot()}>
            {t('retry')}
          </button>
        </Empty>
      </main>
    );
  }
  return (
    <div class={'shell' + (path.value.startsWith('/c/') ? ' in-thread' : '')}>
      <Rail />
      <div class="stage">
        <Banners />
        <Page />
      </div>
      <Toasts />
      {helpOpen.value && <Help />}
      {app.expired.value && <LoginDialog />}
    </div>
  );
}
