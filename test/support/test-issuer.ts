/** An issuer of OpenID Connect tokens on the loopback: real HTTPS under an authority of its own, its own keys, and every way to be wrong. */
import { createHmac, type webcrypto } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import { issueCertificate, makeCertificate } from '../../protocol/certificate.ts';
import { generateSigningKey, rawPublicKey } from '../../protocol/ed25519.ts';
import type { EpochMillis } from '../../protocol/units.ts';

/** Whatever one likes to claim; `undefined` leaves out what is there by itself. */
type Claims = Readonly<Record<string, unknown>>;

interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: webcrypto.CryptoKey;
  readonly publicKey: webcrypto.CryptoKey;
  readonly jwk: JWK;
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export class TestIssuer {
  readonly url: string;
  /** Trust this, and it can be reached. */
  readonly caPem: string;
  readonly audience = 'vestibule-core';
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  isDown = false;
  /** Goes over to another protocol in place of an answer. */
  isOther = false;
  /** What is served in place of what should be, by path. */
  readonly instead = new Map<string, string>();
  /** Listed besides the keys that sign. */
  readonly moreKeys: JWK[] = [];
  readonly #server: Server;
  #keys: Key[] = [];

  private constructor(server: Server, caPem: string) {
    this.#server = server;
    this.caPem = caPem;
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open(alg = 'ES256'): Promise<TestIssuer> {
    const authority = generateSigningKey();
    const caPem = await makeCertificate(authority, 'test authority');
    const key = generateSigningKey();
    const certificate = await issueCertificate(
      {
        publicKey: rawPublicKey(key),
        subject: { commonName: 'issuer', unit: 'test', organisation: 'test' },
        notBeforeMs: 0 as EpochMillis,
        notAfterMs: Date.UTC(2100, 0) as EpochMillis,
        use: { kind: 'server', names: ['127.0.0.1'] },
      },
      { privateKey: authority, certificatePem: caPem },
    );
    const server = createServer({ key: key.export({ type: 'pkcs8', format: 'pem' }), cert: certificate });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = new TestIssuer(server, caPem);
    server.on('request', (request, reply) => {
      const path = request.url ?? '';
      issuer.asked.push(path);
      if (issuer.isDown) return void request.socket.destroy();
      if (issuer.isOther)
        return void request.socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n');
      const said = issuer.instead.get(path) ?? issuer.#say(path);
      reply.writeHead(said === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(said);
    });
    await issuer.rotate(alg);
    return issuer;
  }

  #say(path: string): string | undefined {
    if (path === '/.well-known/openid-configuration') return JSON.stringify({ issuer: this.url, jwks_uri: `${this.url}/jwks` });
    if (path === '/jwks') return JSON.stringify({ keys: [...this.#keys.map(({ jwk }) => jwk), ...this.moreKeys] });
    return undefined;
  }

  /** Signs with another key from now on; tokens of the one before are not known any more. */
  async rotate(alg = 'ES256'): Promise<void> {
    this.#keys = [await makeKey(alg)];
  }

  /** @param claims take the place of those that are right. @param nowMs when it is made. */
  async token(claims: Claims, nowMs: number, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const key = this.#keys[0];
    if (key === undefined) throw new Error('no key');
    return await signed(this.#claims(claims, nowMs), key, header);
  }

  /** By a key of somebody else, under the name of the issuer's. */
  async forged(claims: Claims, nowMs: number): Promise<string> {
    return await signed(this.#claims(claims, nowMs), { ...(await makeKey('ES256')), kid: this.#keys[0]?.kid ?? '' }, {});
  }

  unsigned(claims: Claims, nowMs: number): string {
    return `${part({ alg: 'none', typ: 'JWT' })}.${part(this.#claims(claims, nowMs))}.`;
  }

  /** The public key, which everybody has, taken for a shared secret. */
  async signedByPublicKey(claims: Claims, nowMs: number): Promise<string> {
    const key = this.#keys[0];
    if (key === undefined) throw new Error('no key');
    const text = `${part({ alg: 'HS256', typ: 'JWT', kid: key.kid })}.${part(this.#claims(claims, nowMs))}`;
    return `${text}.${createHmac('sha256', await exportSPKI(key.publicKey))
      .update(text)
      .digest('base64url')}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #claims(claims: Claims, nowMs: number): JWTPayload {
    const nowS = Math.floor(nowMs / 1_000);
    return { iss: this.url, aud: this.audience, sub: 'vera', iat: nowS, exp: nowS + 300, ...claims };
  }
}

async function makeKey(alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString('hex');
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

const signed = (claims: JWTPayload, { privateKey, kid, alg }: Key, header: Readonly<Record<string, unknown>>): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg, kid, typ: 'JWT', ...header })
    .sign(privateKey, 'crit' in header ? { crit: { x: true } } : {});
