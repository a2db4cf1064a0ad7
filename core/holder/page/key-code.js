/**
 * The key code in the browser: read as it is typed or scanned, and the visitor's key made of it. Nothing here sends or keeps anything.
 * Source: docs/protocol.md, sections 1, 2 and 22; Web Cryptography API; RFC 5869 (HKDF), RFC 8032 (Ed25519), RFC 8410 (PKCS #8).
 */
const SYMBOLS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const LETTERS = 'BCDEFGHJKNPRSTVX';
const TYPEABLE = /^[0-9A-HJ-NP-TV-ZIO]*$/;
export const KEY_CODE_SYMBOLS = 30;
const CODE_LETTERS = 38;
/** `V`, and the letter of a key code. */
const SCANNED = /^VK[BCDEFGHJKNPRSTVX]{36}$/;
const PKCS8_PREFIX = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const CONTEXT = 'vestibule-holder-1\0';
export const ACTIONS = ['read', 'revoke', 'receipt'];

/**
 * @param text as somebody types it, so far: any case, spaces and hyphens anywhere, O for 0, I and L for 1; or a key code's QR code.
 * @returns `{ keyCode }` (16 bytes) once it is whole and right, else `{ fault, symbols }`: `part`, `long`, `strange`, `version`, `check`.
 */
export function readKeyCode(text) {
  const typed = text.replace(/[\s-]/g, '').toUpperCase();
  if (SCANNED.test(typed)) return readScanned(typed);
  const symbols = typed.length;
  if (!TYPEABLE.test(typed)) return { fault: 'strange', symbols };
  if (symbols > KEY_CODE_SYMBOLS) return { fault: 'long', symbols };
  if (symbols < KEY_CODE_SYMBOLS) return { fault: 'part', symbols };
  let bits = 0n;
  for (const symbol of typed.replaceAll('O', '0').replace(/[IL]/g, '1')) bits = (bits << 5n) | BigInt(SYMBOLS.indexOf(symbol));
  const bytes = new Uint8Array(19);
  for (let at = 18, left = bits; at >= 0; at--, left >>= 8n) bytes[at] = Number(left & 0xffn);
  // Two zero bits and five of the version; a zero bit behind the key code.
  if (bytes[0] >> 1 !== 1) return { fault: 'version', symbols };
  if (crc16(bytes) !== 0 || (bytes[16] & 1) !== 0) return { fault: 'check', symbols };
  const keyCode = new Uint8Array(16);
  const head = bits >> 17n;
  for (let at = 15, left = head; at >= 0; at--, left >>= 8n) keyCode[at] = Number(left & 0xffn);
  bytes.fill(0);
  return { keyCode };
}

function readScanned(typed) {
  const bytes = Uint8Array.from(
    { length: CODE_LETTERS / 2 },
    (_, at) => (LETTERS.indexOf(typed[2 * at]) << 4) | LETTERS.indexOf(typed[2 * at + 1]),
  );
  if (crc16(bytes) !== 0) return { fault: 'check', symbols: typed.length };
  const keyCode = bytes.slice(1, 17);
  bytes.fill(0);
  return { keyCode };
}

/** CRC-16/IBM-3740; 0 over bytes with their CRC behind them. */
function crc16(bytes) {
  let register = 0xffff;
  for (const byte of bytes) {
    register ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) register = (register & 0x8000) === 0 ? register << 1 : ((register << 1) ^ 0x1021) & 0xffff;
  }
  return register;
}

/** @returns whether this browser can make the key. */
export async function canDerive() {
  try {
    await importKey(new Uint8Array(32), false);
    return true;
  } catch {
    return false;
  }
}

/** @param keyCode 16 bytes; filled with zeros. @returns the visitor's public key (32 bytes), and the private one, which nothing can read. */
export async function deriveVisitor(keyCode) {
  const material = await crypto.subtle.importKey('raw', keyCode, 'HKDF', false, ['deriveBits']);
  keyCode.fill(0);
  const info = new TextEncoder().encode('vestibule visitor 1');
  const seed = new Uint8Array(
    await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info }, material, 256),
  );
  const readable = await importKey(seed, true);
  const { x } = await crypto.subtle.exportKey('jwk', readable);
  const privateKey = await importKey(seed, false);
  seed.fill(0);
  return { publicKey: x, privateKey };
}

async function importKey(seed, isReadable) {
  const wrapped = new Uint8Array(PKCS8_PREFIX.length + 32);
  wrapped.set(PKCS8_PREFIX);
  wrapped.set(seed, PKCS8_PREFIX.length);
  const key = await crypto.subtle.importKey('pkcs8', wrapped, { name: 'Ed25519' }, isReadable, ['sign']);
  wrapped.fill(0);
  return key;
}

/** @returns the proof, as it goes in the body of a request. */
export async function prove(action, { core, challenge }, { publicKey, privateKey }) {
  const context = new TextEncoder().encode(CONTEXT);
  const message = new Uint8Array([...context, ...bytesOf(core), ACTIONS.indexOf(action) + 1, ...bytesOf(challenge)]);
  const signature = textOf(new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, message)));
  return { action, core, challenge, publicKey, signature };
}

const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
const textOf = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
