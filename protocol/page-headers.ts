/**
 * What goes with every answer of a listener that a browser asks, at kiosk, gateway and core alike: nothing but the page's own files is loaded,
 * no word in it runs as a script, nobody frames it or holds an end of it, and no copy of an answer is kept.
 * Source: Content Security Policy Level 3; Trusted Types; HTML Living Standard, "Cross-origin opener policies"; Fetch Standard,
 * "Cross-Origin-Resource-Policy header"; RFC 9111, section 5.2.2.5.
 */

/** Names in small letters. `data:` is for the empty icon of a page that has none: a picture in an address loads nothing. */
export const PAGE_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;
