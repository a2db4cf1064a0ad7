/** A gateway whose machine's clock jumps, from the ledger to what operators see. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { confirmClock, RetentionClock } from '../../disk/retention-clock.ts';
import type { GatewayView } from '../../gateway/web/schema.ts';
import { silentLog } from '../../protocol/log.ts';
import { WEB } from '../support/busy-gateway.ts';
import { Inbox } from '../support/inbox.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { checkIn, publishOrClose } from '../support/test-kiosk.ts';
import { until } from '../support/until.ts';
