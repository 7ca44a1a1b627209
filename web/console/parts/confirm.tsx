// SPDX-License-Identifier: Apache-2.0
// Asks once before what cannot be undone, naming the thing.
import { signal } from '@preact/signals';
import { t } from '../../shared/i18n.ts';
import { Dialog } from '../../shared/kit/dialog.tsx';

interface Question {
  title: string;
  text: string;
  go: string;
  danger?: boolean;
  answer: (yes: boolean) => void;
}

const asked = signal<Question | null>(null);

export function confirm(q: Omit<Question, 'answer'>): Promise<boolean> {
  asked.value?.answer(false);
  return new Promise((ok) => (asked.value = { ...q, answer: ok }));
}

export function Confirm() {
  const q = asked.value;
  if (!q) return null;
  const done = (yes: boolean) => {
    asked.value = null;
    q.answer(yes);
  };
  return (
    <Dialog
      title={q.title}
      onClose={() => done(false)}
      foot={
        <>
          <button class="btn" onClick={() => done(false)}>
            {t('cancel')}
          </button>
          <button class={'btn ' + (q.danger ? 'danger' : 'primary')} onClick={() => done(true)}>
            {q.go}
          </button>
        </>
      }
    >
      <p class="confirm-text">{q.text}</p>
    </Dialog>
  );
}
