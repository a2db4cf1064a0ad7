/** What is used of sodium-native, which has no types of its own. */
declare module 'sodium-native' {
  /** @returns whether it is a signature of `message`. Source: RFC 8032, section 5.1.7; keys and points of small order are refused, too. */
  function crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  const sodium: { readonly crypto_sign_verify_detached: typeof crypto_sign_verify_detached };
  export default sodium;
}
