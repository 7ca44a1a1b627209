// SPDX-License-Identifier: Apache-2.0
// All icons: 20 px, stroke 1.8, drawn on a 24 grid. Decorative by default;
// the control that holds one bears the name. Each is a constant of its own,
// so a page carries only those it draws: <Icon d={I.send} />.
export const inbox = 'M4 13h4l1.5 3h5L16 13h4M4 13 6.4 5.6A1 1 0 0 1 7.4 5h9.2a1 1 0 0 1 1 .6L20 13v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1z';
export const code = 'm8 8-4 4 4 4m8-8 4 4-4 4m-2.5-11-3 14';
export const clip = 'm20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.5 7';
export const send = 'M5 12h13m-5.5-6L19 12l-6.5 6';
export const close = 'M6 6l12 12M18 6 6 18';
export const down = 'm6 9 6 6 6-6';
export const up = 'm6 15 6-6 6 6';
export const back = 'M15 5l-7 7 7 7';
export const search = 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zm5-2 4.5 4.5';
export const check = 'm5 12.5 4.5 4.5L19 7.5';
export const checks = 'm2.5 12.5 4 4 8.5-9M11 15.5l1 1 8.5-9';
export const clock = 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zm0-14v5l3.5 2';
export const alert = 'M12 9v4.5m0 3.2v.1M10.6 4.2 2.8 17.8A1.6 1.6 0 0 0 4.2 20h15.6a1.6 1.6 0 0 0 1.4-2.2L13.4 4.2a1.6 1.6 0 0 0-2.8 0z';
export const retry = 'M20 12a8 8 0 1 1-2.4-5.7M20 4v4.5h-4.5';
export const edit = 'M4 20h4L19.5 8.5a2.1 2.1 0 0 0-3-3L5 17zM14 7l3 3';
export const trash = 'M4.5 7h15M10 11v6m4-6v6M6 7l1 12a1 1 0 0 0 1 1h8a1 1 0 0 0 1-1l1-12M9 7V4h6v3';
export const copy = 'M9 9h10v11H9zM5 15V4h10';
export const transfer = 'M4 8h14l-3.5-3.5M20 16H6l3.5 3.5';
export const done = 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zm-4-9 3 3 5.5-5.5';
export const panel = 'M4 5h16v14H4zm10.5 0v14';
export const user = 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm-7.5 8c.6-3.8 3.7-6 7.5-6s6.9 2.2 7.5 6';
export const globe = 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3.5 12h17M12 3c2.5 2.5 3.5 5.5 3.5 9s-1 6.5-3.5 9c-2.5-2.5-3.5-5.5-3.5-9S9.5 5.5 12 3z';
export const phone = 'M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zm3 15h2';
export const mail = 'M4 6h16v12H4zm0 1 8 6 8-6';
export const sun = 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm0-13v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1m10.6 10.6 1.1 1.1m0-12.8-1.1 1.1M6.7 17.3l-1.1 1.1';
export const bell = 'M6 16v-5a6 6 0 0 1 12 0v5l1.5 2h-15zm4 4.5h4';
export const bellOff = 'M6 16v-5c0-1 .2-1.9.6-2.7M9 5.8A6 6 0 0 1 18 11v4M4.5 18H17m-7 2.5h4M4 4l16 16';
export const logout = 'M14 4H6a1 1 0 0 0-1 1v14a1 1 0 0 0 1 1h8m2-12 4 4-4 4m4-4H10';
export const more = 'M5 12h.1M12 12h.1M19 12h.1';
export const chat = 'M4 5h16v11H10l-4.5 3.5V16H4z';
export const bot = 'M5 9h14v10H5zM12 9V5m0 0h.1M9 13.5h.1m5.9 0h.1M2.5 13v2.5m19-2.5v2.5';
export const note = 'M5 4h14v11l-5 5H5zm14 11h-5v5M8.5 8.5h7M8.5 12h4';
export const info = 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zm0-10v5.5m0-9v.1';
export const attach = 'm20 11-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.5 7';
export const wifi = 'M3 9.5a13 13 0 0 1 18 0M6.5 13a8 8 0 0 1 11 0M10 16.5a3 3 0 0 1 4 0M4 4l16 16';
export const keys = 'M3 7h18v10H3zm3.5 3.5h.1m3.4 0h.1m3.4 0h.1m3.4 0h.1M7.5 14h9';
export const flow = 'M6 8.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zm12 12a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM6 8.5V13a5 5 0 0 0 5 5h4.5M12 6h6v6';
export const plug = 'M9 3v5m6-5v5M6 8h12v3a6 6 0 0 1-12 0zm6 9v4';
export const undo = 'M9 14 4.5 9.5 9 5m-4.5 4.5H14a5.5 5.5 0 0 1 0 11h-3';
export const why = 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.6 9.4a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.2.9-1.2 1.8m0 3v.1';
export const plus = 'M12 5v14M5 12h14';
export const spark = 'M11 4.5 12.7 9 17 10.7 12.7 12.4 11 17l-1.7-4.6L5 10.7 9.3 9zM18.5 15l.8 2.2 2.2.8-2.2.8-.8 2.2-.8-2.2-2.2-.8 2.2-.8z';
export const stop = 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.5 9.5h5v5h-5z';
export const shop = 'M4 9 5.5 4h13L20 9M4 9v11h16V9M4 9h16M9 20v-6h6v6';

export function Icon({ d, size = 20, label }: { d: string; size?: number; label?: string }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={size < 18 ? 2.2 : 1.8}
      stroke-linecap="round"
      stroke-linejoin="round"
      role={label ? 'img' : undefined}
      aria-label={label}
      aria-hidden={label ? undefined : 'true'}
    >
      <path d={d} />
    </svg>
  );
}
