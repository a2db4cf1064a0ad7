/**
 * The public keys of one issuer, by its JWKS: asked for when they are needed, kept for ten minutes, asked for anew when a token names a key that
 * is not among them, and not more often than its pace allows, whatever tokens come. While they can not be had nobody is known by them.
 * Source: OpenID Connect Discovery 1.0, section 4; RFC 7517 (JWK).
 */
import { z } from 'zod';
import { AdmissionError } from '../../protocol/errors.ts';
import type { Clock } from '../../protocol/time.ts';
import { fetchJson } from './fetch-json.ts';

/** Source: RFC 7517, section 5. */
export interface KeySet {
  readonly keys: readonly { readonly kty: string; readonly [name: string]: unknown }[];
}

export interface IssuerAddress {
  /** As its tokens name it. */
  readonly issuer: string;
  /** Where its keys are; discovered when not given. */
  readonly jwksUri?: string | undefined;
  readonly caPem?: string | undefined;
}

/** How long a key that the issuer took back may still be gone by, and how long its being down is not noticed. */
const KEPT_MS = 600_000;
/** Between two questions: strangers' tokens name what keys they like. */
const PACE_MS = 10_000;
const MOST_KEYS = 32;

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https$/ }) });
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(MOST_KEYS) });

export class IssuerKeys {
  readonly #address: IssuerAddress;
  readonly #clock: Clock;
  #held: { readonly keys: KeySet; readonly atMs: number } | undefined;
  #askedAtMs: number | undefined;
  #underWay: Promise<KeySet> | undefined;

  constructor(address: IssuerAddress, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
  }

  /** @returns the keys as they were told within ten minutes. @throws AdmissionError `admission.issuer_down`. */
  async keys(): Promise<KeySet> {
    const nowMs = this.#clock.monotonic();
    if (this.#held !== undefined && nowMs - this.#held.atMs < KEPT_MS) return this.#held.keys;
    return await this.#ask();
  }

  /**
   * For a token whose key is not among those that are kept.
   * @returns the keys as they are now; `undefined` where it was asked a moment ago. @throws AdmissionError `admission.issuer_down`.
   */
  async newerKeys(): Promise<KeySet | undefined> {
    return this.#underWay === undefined && this.#isTooSoon() ? undefined : await this.#ask();
  }

  #isTooSoon(): boolean {
    return this.#askedAtMs !== undefined && this.#clock.monotonic() - this.#askedAtMs < PACE_MS;
  }

  #ask(): Promise<KeySet> {
    if (this.#underWay !== undefined) return this.#underWay;
    if (this.#isTooSoon())
      return Promise.reject(new AdmissionError('admission.issuer_down', 'the issuer of tokens did not answer a moment ago'));
    this.#askedAtMs = this.#clock.monotonic();
    this.#underWay = this.#fetch().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #fetch(): Promise<KeySet> {
    const { caPem } = this.#address;
    const read = keySet.safeParse(await fetchJson(await this.#jwksUri(), caPem, this.#clock));
    if (!read.success) throw new AdmissionError('admission.issuer_down', 'the issuer of tokens tells no keys');
    // A key that signs and verifies alike would let whoever reads this set make tokens.
    const keys = { keys: read.data.keys.filter(({ kty }) => kty !== 'oct') };
    this.#held = { keys, atMs: this.#clock.monotonic() };
    return keys;
  }

  async #jwksUri(): Promise<string> {
    const { issuer, jwksUri, caPem } = this.#address;
    if (jwksUri !== undefined) return jwksUri;
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const read = discovery.safeParse(await fetchJson(url, caPem, this.#clock));
    // Section 4.3: it must be the very issuer that was asked.
    if (!read.success || read.data.issuer !== issuer)
      throw new AdmissionError('admission.issuer_down', 'the issuer of tokens tells of another, or not where its keys are');
    return read.data.jwks_uri;
  }
}
