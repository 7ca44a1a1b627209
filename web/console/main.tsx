// SPDX-License-Identifier: Apache-2.0
import { render } from 'preact';
import en from '../locales/console.en.json';
import zh from '../locales/console.zh-CN.json';
import { watchIme } from '../shared/composer/ime.ts';
import { onHotkey } from '../shared/hotkeys.ts';
import { initWords } from '../shared/i18n.ts';
import { armSound } from '../shared/presence/sound.ts';
import { startRouter } from '../shared/router.ts';
import { initTheme } from '../shared/theme.ts';
import { Shell } from './shell.tsx';
import { startAlerts } from './stores/alerts.ts';
import * as app from './stores/app.ts';
import { startHealth } from './stores/health.ts';
import '../shared/tokens.css';
import '../shared/base.css';
import '../shared/kit/kit.css';
import '../shared/list/list.css';
import '../shared/message/message.css';
import './console.css';
import './thread.css';
import './house.css';

initWords({ 'zh-CN': zh, en }, app.pref('lang'));
initTheme(app.pref('theme'));
startRouter('/console');
watchIme(document);
armSound();
startAlerts();
startHealth();
document.addEventListener('keydown', (e) => {
  if (app.phase.value === 'in' && !document.querySelector('dialog[open]')) onHotkey(e);
});
render(<Shell />, document.getElementById('app')!);
void app.boot();
