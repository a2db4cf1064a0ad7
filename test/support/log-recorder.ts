/** A Log that remembers, so that a test can see what was said, and what never may be. */
import type { Log, LogFields } from '../../protocol/log.ts';

export interface LogLine {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly event: string;
  readonly fields: LogFields;
}

export class LogRecorder implements Log {
  readonly lines: LogLine[] = [];

  error(event: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'error', event, fields });
  }
  warn(event: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', event, fields });
  }
  info(event: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'info', event, fields });
  }
  debug(event: string, fields: () => LogFields = () => ({})): void {
    this.lines.push({ level: 'debug', event, fields: fields() });
  }

  /** The lines of one event. */
  of(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  get text(): string {
    return this.lines.map((line) => JSON.stringify(line)).join('\n');
  }
}
