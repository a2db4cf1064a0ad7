/** Every route that there is, for tests that ask what a route is and not what it does. */
import type { RestSources } from '../../../core/rest/routes.ts';
import { restRoutesOf } from '../../../core/rest/routes.ts';

const core = { holder: {}, gateways: {}, cases: {}, notices: {} };
export const allRoutes = restRoutesOf({ core, audit: {}, version: '0', clock: {} } as unknown as RestSources);
