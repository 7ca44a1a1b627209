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
import { Confirm } from './parts/confirm.tsx';
import { commandOpen, Help, helpOpen } from './parts/help.tsx';
import { Rail } from './parts/rail.tsx';
import * as app from './stores/app.ts';
import { may } from './stores/paged.ts';

/** Pages that come when somebody goes there. */
const LAZY: Record<string, () => Promise<ComponentType>> = {
  scripts: () => import('./pages/scripts.tsx').then((m) => m.ScriptsPage),
  flows: () => import('./pages/flows.tsx').then((m) => m.FlowsPage),
  failed: () => import('./pages/failed.tsx').then((m) => m.FailedPage),
  assistants: () => import('./pages/assistants.tsx').then((m) => m.AssistantsPage),
  channels: () => import('./pages/channels.tsx').then((m) => m.ChannelsPage),
};

const loaded = signal<Record<string, ComponentType>>({});
const loading = new Set<string>();

function load(name: string): void {
  if (loading.has(name)) return;
  loading.add(name);
  LAZY[name]!().then(
    (page) => (loaded.value = { ...loaded.value, [name]: page }),
    () => {
      loading.delete(name);
      app.outdated.value = true; // a newer build took its files away
    },
  );
}

/** Ctrl/⌘+K; comes with its first use. */
const box = signal<ComponentType | null>(null);
function Box() {
  const B = box.value;
  if (B) return <B />;
  import('./parts/command.tsx').then(
    (m) => (box.value = m.Command),
    () => {
      commandOpen.value = false;
      app.outdated.value = true;
    },
  );
  return null;
}

function Page() {
  const name = path.value.split('/')[1] ?? '';
  if (!(name in LAZY)) return <InboxPage />;
  const P = loaded.value[name];
  if (P) return <P />;
  load(name);
  return <main class="page" />;
}

export function Shell() {
  useEffect(
    () =>
      bindHotkeys([
        { keys: 'Shift+Slash', label: 'keys.help', run: () => (helpOpen.value = !helpOpen.value) },
        { keys: 'Mod+KeyK', label: 'keys.command', inFields: true, when: () => app.phase.value === 'in' && !document.querySelector('dialog[open]'), run: () => (commandOpen.value = true) },
        { keys: 'KeyG KeyI', label: 'keys.goInbox', run: () => go('/') },
        { keys: 'KeyG KeyP', label: 'keys.goScripts', run: () => go('/scripts') },
        { keys: 'KeyG KeyF', label: 'keys.goFlows', when: () => may('supervisor'), run: () => go('/flows') },
        { keys: 'KeyG KeyX', label: 'keys.goFailed', when: () => may('supervisor'), run: () => go('/failed') },
        { keys: 'KeyG KeyA', label: 'keys.goAssistants', when: () => may('supervisor'), run: () => go('/assistants') },
        { keys: 'KeyG KeyH', label: 'keys.goChannels', when: () => may('supervisor'), run: () => go('/channels') },
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
      {commandOpen.value && <Box />}
      <Confirm />
      {app.expired.value && <LoginDialog />}
    </div>
  );
}
