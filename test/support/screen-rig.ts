/** The kiosk's page without a kiosk behind it: a test says how the kiosk does, and hears what the page asks for. */
import type { Test } from 'tap';
import type { Feedback, FeedbackKind } from '../../kiosk/feedback.ts';
import type { FrontCommand } from '../../kiosk/front.ts';
import type { HealthSnapshot } from '../../kiosk/health.ts';
import { Page, type PageOptions } from '../../kiosk/page.ts';
import { LANGUAGES, type Language, WORDS } from '../../kiosk/screen/languages.ts';
import type { StaffSettings } from '../../kiosk/staff/settings.ts';
import type { MenuView, StaffDoor } from '../../kiosk/staff/staff-door.ts';
import type { EpochMillis, MonotonicMillis } from '../../protocol/units.ts';
import type { Browser, Page as Tab } from './browser.ts';

export const WELL: HealthSnapshot = {
  ...{ state: 'up', isOnline: true, linkWhy: undefined, storeWhy: undefined, clock: 'synced', devices: [], queued: 0 },
  ...{ oldestQueuedMs: undefined, droppedUnsent: 0, conflicts: 0, quarantined: 0, sentAgain: 0, setAside: 0, salvagedRows: 0 },
  policy: { version: 0, why: undefined },
};

/** What a screen of a Pi, a tablet and a wall is; each lying and standing. */
export const SIZES = [
  [480, 320],
  [320, 480],
  [800, 480],
  [480, 800],
  [1_024, 600],
  [1_280, 720],
  [1_920, 1_080],
  [1_080, 1_920],
] as const;

/** When the last of the last answers was given. */
const LAST_MS = Date.UTC(2026, 10, 22, 10, 42);

export const answered = (kind: FeedbackKind, more: Partial<Feedback> = {}): Feedback => ({
  ...{ kind, isStoredOffline: false, seq: undefined, keyId: undefined },
  at: { wallMs: 0 as EpochMillis, monotonicMs: 0 as MonotonicMillis },
  ...more,
});

export async function openScreen(t: Pick<Test, 'teardown'>, more: Partial<PageOptions> = {}) {
  const scans: string[] = [];
  const asked: unknown[] = [];
  const now = {
    health: WELL,
    settings: { language: 'en', sound: 'normal', isOutOfOrder: false } as Pick<StaffSettings, 'language' | 'sound' | 'isOutOfOrder'>,
    isMenuOpen: false,
    paper: undefined as Extract<MenuView, { isOpen: true }>['paper'],
  };
  const staff = {
    get isOpen() {
      return now.isMenuOpen;
    },
    get view(): MenuView {
      if (!now.isMenuOpen) return { isOpen: false };
      const last = (['please-see-staff', 'not-a-card', 'welcome'] as const).map((kind, ago) => ({
        kind,
        atMs: (LAST_MS - ago * 40_000) as EpochMillis,
      }));
      return { isOpen: true, direction: 'both', settings: now.settings, last, ...(now.paper && { paper: now.paper }) };
    },
    stay: () => {},
    leave: () => {
      now.isMenuOpen = false;
      page.refreshMenu();
    },
    change: (change: object) => {
      asked.push(change);
      Object.assign(now, { settings: { ...now.settings, ...change } });
      page.refreshMenu();
    },
    beginPaper: (atMs: number, way: 'in' | 'out') => {
      asked.push({ atMs, way });
      now.paper = { atMs: atMs as EpochMillis, way, count: 3 };
      page.refreshMenu();
      return true;
    },
    endPaper: () => {
      now.paper = undefined;
      page.refreshMenu();
    },
    test: async () => [
      { part: 'store', isWell: true, why: undefined },
      { part: { device: 'scanner' }, isWell: false, why: 'device.gone' },
      { part: 'delivery', isWell: true, why: undefined },
    ],
  };
  const page: Page = new Page({
    port: 0,
    onScan: (text) => scans.push(text),
    onStaff: (command: FrontCommand) => asked.push(command),
    health: () => now.health,
    direction: () => 'both',
    settings: () => now.settings,
    isScanner: (name) => name === 'scanner',
    staff: staff as unknown as StaffDoor,
    ...more,
  });
  const url = await page.open();
  t.teardown(() => page.close());
  const speak = (language: Language) => {
    now.settings = { ...now.settings, language };
    page.refreshMenu();
  };
  const menu = (isOpen: boolean) => {
    now.isMenuOpen = isOpen;
    page.refreshMenu();
  };
  return { page, url, now, scans, asked, speak, menu, languages: LANGUAGES };
}

/** Runs in the page: every text that is drawn lies within its box and the window, whole. @returns what does not. */
export const CLIPPED = `() => {
  const faults = [];
  const walk = document.createTreeWalker(document.querySelector('dialog[open]') ?? document.body, NodeFilter.SHOW_TEXT);
  const inMenu = document.querySelector('dialog[open]') !== null;
  for (let node = walk.nextNode(); node !== null; node = walk.nextNode()) {
    const box = node.parentElement;
    if (node.data.trim() === '' || box.closest('.unseen, script, style, svg, option') !== null || !box.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const fit = (box.closest('.fit, button, .chip, li, label, header, footer') ?? box).getBoundingClientRect();
    for (const { left, right, top, bottom } of range.getClientRects()) {
      const isOut = left < fit.left - 1 || right > fit.right + 1 || left < -1 || right > innerWidth + 1;
      const isCut = box.closest('.fit') !== null && (top < fit.top - 0.2 * (bottom - top) || bottom > fit.bottom + 0.2 * (bottom - top));
      const isBelow = !inMenu && (top < -1 || bottom > innerHeight + 1);
      if (isOut || isCut || isBelow) {
        faults.push(node.data.slice(0, 40) + ' ' + [left, right, top, bottom].map(Math.round) + ' in ' + [fit.left, fit.right, fit.top, fit.bottom].map(Math.round));
        break;
      }
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push('the page is wider than the window');
  return faults;
}`;

export const untilText = (page: Tab, said: string): Promise<void> =>
  page.until(`document.querySelector('#text')?.textContent === ${JSON.stringify(said)}`);
export const draw = (page: Tab): Promise<unknown> =>
  page.value('new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');

/** The rig, and a browser that shows it at rest. */
export async function openShown(t: Test, browser: Browser) {
  const rig = await openScreen(t);
  const page = await browser.page();
  await page.open(rig.url);
  await untilText(page, WORDS.en.rests.ready[0]);
  return { ...rig, screen: page };
}
