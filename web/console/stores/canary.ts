// SPDX-License-Identifier: Apache-2.0
// Which way a trial leans, said before the house decides.
import type { CanarySide } from '../../sdk/house.ts';

/** As the house compares when the script says nothing else. */
const EASY = { errors: 0.01, slower: 1.5, us: 1_000, handovers: 0.2 };

export type Leaning = 'early' | 'good' | 'worse';

/** How it looks so far; the house decides when `wanted` conversations have met
 * it, and a tenth of these say little. */
export function leaning(stable: CanarySide, canary: CanarySide, wanted: number): Leaning {
  if (canary.calls === 0 || stable.calls === 0) return 'early';
  const rate = (n: number, of: number) => (of ? n / of : 0);
  const errors = (x: CanarySide) => rate(x.errors, x.calls);
  const handovers = (x: CanarySide) => rate(x.handovers, x.conversations);
  const us = (x: CanarySide) => x.us / x.calls;
  const bad =
    canary.kills > 0 ||
    errors(canary) > errors(stable) + EASY.errors ||
    (us(canary) > us(stable) * EASY.slower && us(canary) > us(stable) + EASY.us) ||
    Math.abs(handovers(canary) - handovers(stable)) > EASY.handovers;
  if (bad) return 'worse';
  return canary.conversations * 10 < wanted ? 'early' : 'good';
}
