// SPDX-License-Identifier: Apache-2.0
import { effect } from '@preact/signals-core';
import { render } from 'preact';
import zh from '../locales/chat.zh-CN.json';
import { watchIme } from '../shared/composer/ime.ts';
import { initWords } from '../shared/i18n.ts';
import { initTheme } from '../shared/theme.ts';
import { Host } from './host.ts';
import { boot } from './state.ts';
import { Chat } from './view.tsx';
import '../shared/tokens.css';
import '../shared/base.css';
import '../shared/message/message.css';
import './chat.css';

/** The composer stays above the phone's keyboard; the body never scrolls. */
function followKeyboard(): void {
  const vv = window.visualViewport;
  if (!vv || window.parent !== window) return;
  const fit = () => {
    document.documentElement.style.setProperty('--height', Math.round(vv.height) + 'px');
    if (vv.offsetTop > 0) window.scrollTo(0, 0);
  };
  vv.addEventListener('resize', fit);
  vv.addEventListener('scroll', fit);
  fit();
}

initWords({ 'zh-CN': zh, en: () => import('../locales/chat.en.json').then((m) => m.default) }, null);
initTheme(new URLSearchParams(location.search).get('theme'));
watchIme(document);
followKeyboard();
const host = new Host();
const root = document.getElementById('app')!;
// Every signal read while drawing is tracked by this one effect, so the chat
// page does without @preact/signals' own glue (1.3 KB gz of its 28).
effect(() => render(<Chat host={host} />, root));
void boot(host);
