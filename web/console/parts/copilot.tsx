// SPDX-License-Identifier: Apache-2.0
// The co-pilot's buttons above the field, what it writes as it comes, and what
// went wrong. Only where an assistant can be asked.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Conversation } from '../../sdk/types.ts';
import { insertText } from '../../shared/composer/composer.tsx';
import { bindHotkeys } from '../../shared/hotkeys.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { t } from '../../shared/i18n.ts';
import { Menu, type MenuItem } from '../../shared/kit/menu.tsx';
import * as app from '../stores/app.ts';
import * as copilot from '../stores/copilot.ts';
import type { Job, Mode, Wish } from '../stores/copilot.ts';
import * as inbox from '../stores/inbox.ts';
import * as thread from '../stores/thread.ts';
import { toast } from '../stores/toast.ts';

const TONES = ['friendlier', 'shorter', 'more formal', 'correct spelling and grammar'];
const LANGUAGES = ['English', '简体中文', '繁體中文', '日本語', '한국어', 'Español', 'Français', 'Deutsch', 'Русский', 'العربية', 'ไทย', 'Tiếng Việt', 'Bahasa Indonesia'];

const tone = signal(TONES[0]!);

interface Props {
  c: Conversation;
  mode: Mode;
  field: { current: HTMLTextAreaElement | null };
  /** Shows the other field, focused. */
  focus: (m: Mode) => void;
}

const keyOf = (j: Pick<Job, 'conversation' | 'mode'>) => j.conversation + ':' + j.mode;

/** Writes into the field if it is the one that is seen, else into its draft. */
function write(p: Props, j: Job, text: string): string {
  const before = app.drafts.get(keyOf(j));
  const el = p.field.current;
  const seen = thread.openId.value === j.conversation && p.mode === j.mode && el;
  if (seen && document.activeElement && !document.querySelector('dialog[open]')) {
    el.focus();
    el.select();
    insertText(el, text); // Ctrl+Z brings back what was there
    el.setSelectionRange(text.length, text.length);
    el.scrollTop = el.scrollHeight;
    return before;
  }
  app.drafts.set(keyOf(j), text);
  app.drafts.flush();
  if (thread.openId.value === j.conversation) p.focus(j.mode);
  else toast(t('copilot.elsewhere', { name: inbox.nameOf(inbox.convs.get(j.conversation)) }));
  return before;
}

const latest: { current: Props | null } = { current: null };

function ask(wish: Wish, from: Mode, mode = from): void {
  const p = latest.current!;
  const text = p.field.current?.value.trim() ?? '';
  const own = wish.task === 'rewrite' || wish.task === 'translate';
  if (own && !text) {
    toast(t('copilot.needText'));
    p.focus(from);
    return;
  }
  void copilot.ask(p.c.id, mode, own ? { ...wish, text } : wish, (j, said) => write(latest.current ?? p, j, said));
}

function language(): string {
  return app.pref('copilot.lang') ?? 'English';
}

const draft = (m: Mode) => ask({ task: 'draft' }, m);
const rewrite = (m: Mode, w = tone.value) => {
  tone.value = w;
  ask({ task: 'rewrite', wish: w }, m);
};
const translate = (m: Mode, w = language()) => {
  app.setPref('copilot.lang', w);
  ask({ task: 'translate', wish: w }, m);
};
/** For colleagues: into the note. */
const summarise = (m: Mode) => ask({ task: 'summarise' }, m, 'note');

function botItems(): MenuItem[] {
  const now = copilot.chosen();
  if (copilot.bots.value.length < 2) return [];
  return ['line', { title: t('copilot.by') }, ...copilot.bots.value.map((name) => ({ label: name, checked: name === (now ?? copilot.bots.value[0]), run: () => app.setPref('copilot', name) }))];
}

function Buttons({ mode }: { mode: Mode }) {
  const b = (label: string, keys: string, run: () => void) => (
    <button type="button" class="btn small" title={`${label} (${keys})`} onClick={run}>
      {label}
    </button>
  );
  return (
    <div class="copilot" role="group" aria-label={t('copilot.label')}>
      <Icon d={I.spark} size={16} />
      {mode === 'reply' && b(t('copilot.draft'), 'Alt+D', () => draft(mode))}
      <Menu class="btn small" label={t('copilot.rewriteAs')} placement="top-start" items={() => [...TONES.map((x) => ({ label: t('copilot.tone.' + x.split(' ')[0]), run: () => rewrite(mode, x) })), ...botItems()]}>
        {t('copilot.rewrite')}
        <Icon d={I.down} size={12} />
      </Menu>
      <Menu class="btn small" label={t('copilot.translateTo')} placement="top-start" items={() => LANGUAGES.map((x) => ({ label: x, checked: x === language(), run: () => translate(mode, x) }))}>
        {t('copilot.translate')}
        <Icon d={I.down} size={12} />
      </Menu>
      {b(t('copilot.summarise'), 'Alt+S', () => summarise(mode))}
    </div>
  );
}

function Strip({ j, p }: { j: Job; p: Props }) {
  if (j.state === 'failed') {
    const again = () => void copilot.ask(j.conversation, j.mode, { task: j.task, text: j.text, wish: j.wish }, (x, said) => write(latest.current ?? p, x, said));
    return (
      <div class="copilot-strip bad" role="alert">
        <Icon d={I.alert} size={16} />
        <span class="grow">{t('copilot.failed', { why: j.said })}</span>
        <button type="button" class="link" onClick={again}>
          {t('retry')}
        </button>
        <button type="button" class="icon-btn" aria-label={t('close')} onClick={copilot.cancel}>
          <Icon d={I.close} size={16} />
        </button>
      </div>
    );
  }
  if (j.state === 'done') {
    const undo = () => {
      write(p, j, j.before ?? '');
      copilot.cancel();
    };
    return (
      <div class="copilot-strip" role="status">
        <Icon d={I.spark} size={16} />
        <span class="grow">{t('copilot.done', { name: j.by ?? '' })}</span>
        <button type="button" class="link" onClick={undo}>
          {t('undo')}
        </button>
        <button type="button" class="icon-btn" aria-label={t('close')} onClick={copilot.cancel}>
          <Icon d={I.close} size={16} />
        </button>
      </div>
    );
  }
  return (
    <div class="copilot-strip" aria-busy="true">
      <span class="spin" />
      <div class="grow copilot-said">
        <span role="status">{t('copilot.doing.' + j.task)}</span>
        {j.said && (
          <p>
            {j.said}
            <span class="caret" aria-hidden="true" />
          </p>
        )}
      </div>
      <button type="button" class="btn small" onClick={copilot.cancel}>
        {t('cancel')}
      </button>
    </div>
  );
}

export function Copilot(p: Props) {
  latest.current = p;
  const able = copilot.bots.value.length > 0;
  useEffect(() => {
    if (!able) return;
    const m = () => latest.current!.mode;
    return bindHotkeys([
      { keys: 'Alt+KeyD', label: 'keys.copilotDraft', inFields: true, run: () => draft('reply') },
      { keys: 'Alt+KeyR', label: 'keys.copilotRewrite', inFields: true, run: () => rewrite(m()) },
      { keys: 'Alt+KeyT', label: 'keys.copilotTranslate', inFields: true, run: () => translate(m()) },
      { keys: 'Alt+KeyS', label: 'keys.copilotSummarise', inFields: true, run: () => summarise(m()) },
    ]);
  }, [able]);
  useEffect(() => {
    // What was said of another conversation, or of what has been sent, is over.
    const j = copilot.job.value;
    if (j && j.state !== 'asked' && j.conversation !== p.c.id) copilot.cancel();
  }, [p.c.id]);
  if (!able) return null;
  const j = copilot.job.value;
  const here = j && j.conversation === p.c.id ? j : null;
  return (
    <>
      {here?.state !== 'asked' && <Buttons mode={p.mode} />}
      {here && <Strip j={here} p={p} />}
    </>
  );
}
