/** What counts as one address where connections, questions and tries are counted. */
import { isIPv4, isIPv6 } from 'node:net';

const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const IPV6_GROUPS = 8;
const NETWORK_GROUPS = 4;

/**
 * @param address as Node gives it. @returns what counts as one address: an IPv4 one, or the first 64 bits of an IPv6 one, which is
 * the least that anybody has (RFC 6177); `unknown` where there is none.
 */
export function addressOf(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  const mapped = MAPPED_IPV4.exec(address)?.[1];
  if (mapped !== undefined && isIPv4(mapped)) return mapped;
  if (!isIPv6(address)) return isIPv4(address) ? address : 'unknown';
  const [plain = ''] = address.split('%');
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, IPV6_GROUPS - before.length - after.length);
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  return `${groups
    .slice(0, NETWORK_GROUPS)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** @param address of `addressOf`. @returns the network that it is of, as networks are handed out: 24 bits of IPv4, 48 of IPv6; anything else is its own. */
export function networkOf(address: string): string {
  if (isIPv4(address)) return address.slice(0, address.lastIndexOf('.'));
  return address.endsWith('::/64')
    ? address
        .split(':')
        .slice(0, NETWORK_GROUPS - 1)
        .join(':')
    : address;
}
