// SPDX-License-Identifier: Apache-2.0
import { signal } from '@preact/signals';
import { allHotkeys, keyName, settings } from '../../shared/hotkeys.ts';
import { t } from '../../shared/i18n.ts';
import { Dialog } from '../../shared/kit/dialog.tsx';
import * as app from '../stores/app.ts';

export const helpOpen = signal(false);
export const commandOpen = signal(false);

export function Help() {
  const rows = new Map<string, string[]>();
  for (const h of allHotkeys()) rows.set(h.label, (rows.get(h.label) ?? []).concat(keyName(h.keys)));
  rows.set('keys.send', ['Enter']);
  rows.set('keys.newline', ['Shift+Enter', 'Ctrl+Enter']);
  return (
    <Dialog title={t('help.title')} onClose={() => (helpOpen.value = false)} wide>
      <dl class="keys">
        {Array.from(rows, ([label, keys]) => (
          <div key={label}>
            <dt>{t(label)}</dt>
            <dd>
              {keys.map((k) => (
                <kbd key={k}>{k}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <label class="sw">
        <input
          type="checkbox"
          checked={settings.letters}
          onChange={(e) => {
            settings.letters = e.currentTarget.checked;
            app.setPref('letters', settings.letters ? 'on' : 'off');
          }}
        />
        {t('help.letters')}
      </label>
    </Dialog>
  );
}
