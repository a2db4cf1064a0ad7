/**
 * Loaded into every test's process. tap removes a test's directory before its teardowns run where `testdir()` was called before the first
 * `teardown()`: a gateway that still ran there wrote a file between two of rimraf's calls once in some hundred runs, and the test failed with
 * ENOTEMPTY, its gateway was never stopped, and its process never ended. A teardown that does nothing, set before anything else, turns the
 * order round. Source: @tapjs/after 3, `after`; @tapjs/fixture 4, `testdir`: each puts itself around `onEOF`.
 */
import { isMainThread } from 'node:worker_threads';

// Threads and child processes of a test are started with the same options, and are no tests.
if (isMainThread && process.argv[1]?.endsWith('.test.ts')) {
  const { default: t } = await import('tap');
  t.beforeEach((t) => t.teardown(() => {}));
}
