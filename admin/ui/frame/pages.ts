/**
 * The pages of the panel, once: the sidebar, the palette and the `g` keys are made of this list. What a viewer may not
 * see is not offered.
 */
import type { Scope } from '../../../src/auth/scopes.ts'
import type { TextKey } from '../kit/text.ts'

export interface PanelPage {
  path: string
  text: TextKey
  group: 'work' | 'timing' | 'access'
  scope: Scope
  /** Pressed behind `g`. */
  key?: string
}

export const PAGES: readonly PanelPage[] = [
  { path: '/', text: 'frame.overview', group: 'work', scope: 'queues:read', key: 'o' },
  { path: '/pages/problems', text: 'frame.problems', group: 'work', scope: 'queues:read', key: 'p' },
  { path: '/resources/runs', text: 'frame.runs', group: 'work', scope: 'runs:read', key: 'r' },
  { path: '/pages/failures', text: 'frame.failures', group: 'work', scope: 'runs:read', key: 'f' },
  { path: '/resources/queues', text: 'frame.queues', group: 'work', scope: 'queues:read', key: 'q' },
  { path: '/resources/workers', text: 'frame.workers', group: 'work', scope: 'workers:read', key: 'w' },
  {
    path: '/resources/schedules',
    text: 'frame.schedules',
    group: 'timing',
    scope: 'schedules:read',
    key: 's',
  },
  { path: '/pages/timeline', text: 'frame.timeline', group: 'timing', scope: 'schedules:read', key: 't' },
  { path: '/resources/firings', text: 'frame.firings', group: 'timing', scope: 'schedules:read' },
  { path: '/resources/keys', text: 'frame.keys', group: 'access', scope: 'keys:read', key: 'k' },
  { path: '/resources/users', text: 'frame.users', group: 'access', scope: 'users:read', key: 'u' },
  { path: '/resources/audit', text: 'frame.audit', group: 'access', scope: 'audit:read', key: 'a' },
]

export const GROUPS = ['work', 'timing', 'access'] as const

/** Of an address in the panel, without the prefix: the page it belongs to. */
export function pageOf(path: string): PanelPage | null {
  const fits = PAGES.filter((page) =>
    page.path === '/' ? path === '/' || path === '' : path === page.path || path.startsWith(`${page.path}/`),
  )
  return fits[0] ?? null
}
