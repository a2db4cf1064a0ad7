/** Every route of the core's REST interface; what is not listed here is not there. */
import type { Clock } from '../../protocol/time.ts';
import type { AuditLog } from '../audit.ts';
import type { Core } from '../core.ts';
import { caseRoutesOf } from './case-routes.ts';
import { holderRoutesOf } from './holder-routes.ts';
import { noticeRoutesOf } from './notice-routes.ts';
import { oversightRoutesOf } from './oversight-routes.ts';
import { placeRoutesOf } from './place-routes.ts';
import { policyRoutesOf } from './policy-routes.ts';
import type { Route } from './route.ts';
import { statisticsRoutesOf } from './statistics-routes.ts';
import { statusRoutesOf } from './status-routes.ts';

export interface RestSources {
  readonly core: Core;
  readonly audit: AuditLog;
  readonly version: string;
  readonly clock: Clock;
}

export function restRoutesOf({ core, audit, version, clock }: RestSources): Route[] {
  return [
    ...statusRoutesOf({ core, version, clock }),
    ...oversightRoutesOf({ audit }),
    ...holderRoutesOf(core.holder),
    ...placeRoutesOf({ core }),
    ...caseRoutesOf({ core, clock }),
    ...noticeRoutesOf({ core, clock }),
    ...policyRoutesOf({ core, clock }),
    ...statisticsRoutesOf({ gateways: core.gateways, visits: () => core.visits(), clock }),
  ];
}
