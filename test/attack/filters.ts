/** Filters and topics that reach for what is not for the reader, written in every way that a broker may take amiss. */

const wildcards = [
  '#',
  '+',
  '+/#',
  '/#',
  '+/+/+/+/+',
  '+/+/+/+/batch',
  '+/1/kiosk/+/batch',
  'vestibule/#',
  'vestibule/+/kiosk/#',
  'vestibule/1/#',
  'vestibule/1/+/+/batch',
  'vestibule/1/kiosk/#',
  'vestibule/1/kiosk/+/#',
  'vestibule/1/kiosk/+/+',
  'vestibule/1/kiosk/+/batch',
  'vestibule/1/kiosk/+/batch#',
  'vestibule/1/kiosk/+x/batch',
  'vestibule/1/kiosk/#/batch',
  '$share/g/#',
  '$share//#',
];

const strange = [
  '',
  '__proto__',
  'constructor',
  'toString',
  'vestibule/1/kiosk/__proto__/batch',
  'a/'.repeat(200),
  '/'.repeat(100),
  'é'.repeat(400),
];

/** @param random in [0, 1). */
export function escapes(kiosk: string, random: () => number): string[] {
  const at = `vestibule/1/kiosk/${kiosk}`;
  const aimed = [
    `${at}/#`,
    `${at}/+`,
    `${at}/batch`,
    `${at}/batch/#`,
    `${at}/batch/`,
    `${at}/receipt`,
    `${at}/receipt/#`,
    `${at}/policy`,
    `/${at}/batch`,
    at.replace('/', '//').concat('/batch'),
    `VESTIBULE/1/kiosk/${kiosk}/batch`,
    `vestibule/1/kiosk/${kiosk.toUpperCase()}/batch`,
    `$share/g/${at}/batch`,
    `$queue/${at}/batch`,
    `${at}\u0000/batch`,
    `\ufeff${at}/batch`,
    `vestibule/1/events/../kiosk/${kiosk}/batch`,
    'vestibule/1/kiosk/%2b/batch',
  ];
  const levels = [
    'vestibule',
    '1',
    'kiosk',
    kiosk,
    'batch',
    'receipt',
    'policy',
    'events',
    'gateway',
    'state',
    '+',
    '#',
    '$SYS',
    '',
    '$share',
  ];
  const drawn = Array.from({ length: 60 }, () =>
    Array.from({ length: 1 + Math.floor(random() * 6) }, () => levels[Math.floor(random() * levels.length)]).join('/'),
  );
  return [...wildcards, ...strange, ...aimed, ...drawn];
}
