/** Knows gateways and partner systems by the token or the key under which they were added (core/gateways.ts). */
import type { Gateways } from '../gateways.ts';
import type { Identify } from './callers.ts';

export function machinesOf(gateways: Pick<Gateways, 'known'>): Identify {
  return ({ token, keyPin }) => {
    const machine = gateways.known(token, keyPin);
    if (machine === undefined) return undefined;
    const { name, role, regions } = machine;
    return { roles: [role], subject: `${role}-${name}`, regions, machine: name };
  };
}
