/** Who sits at this terminal, as far as the operating system knows. */
import { userInfo } from 'node:os';

/** The operating system's user: who is asked for a deed at a terminal. In a container it may have a number and no name. */
export function systemUser(read: () => { readonly username: string } = userInfo): string {
  try {
    return read().username;
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
