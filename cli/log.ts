/** The Log of a process: one JSON object a line on standard error, or silence below the level asked for. */
import { pino } from 'pino';
import type { Log, LogFields } from '../protocol/log.ts';

export const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type Level = (typeof LEVELS)[number];

/** A Log whose least level can be changed while the process runs. */
export interface LevelledLog extends Log {
  readonly level: Level;
  setLevel(level: Level): void;
}

/** Lines are written as they are logged: a process that is killed has written all it said. */
export function openLog(level: Level): LevelledLog {
  const logger = pino({ level, base: null, messageKey: 'event' }, pino.destination({ dest: 2, sync: true }));
  return {
    get level() {
      return logger.level as Level;
    },
    setLevel: (wanted) => {
      logger.level = wanted;
    },
    error: (event: string, fields: LogFields = {}) => logger.error(fields, event),
    warn: (event: string, fields: LogFields = {}) => logger.warn(fields, event),
    info: (event: string, fields: LogFields = {}) => logger.info(fields, event),
    debug: (event: string, fields?: () => LogFields) => {
      if (logger.isLevelEnabled('debug')) logger.debug(fields?.() ?? {}, event);
    },
  };
}
