/** Every page of the panel, by the name its picture has in docs/images/panel. */
import type { Scene } from '../helpers/scene.ts'

export interface Place {
  name: string
  path: string
}

export interface Subjects extends Scene {
  schedule: string
  audit: string
}

export function listPlaces({ failed, running, schedule, audit }: Subjects): Place[] {
  const place = (name: string, path: string): Place => ({ name, path })
  const record = (resource: string, id: string, action = 'show'): string =>
    `/resources/${resource}/records/${encodeURIComponent(id)}/${action}`
  return [
    place('overview', ''),
    place('problems', '/pages/problems'),
    place('failures', '/pages/failures'),
    place('timeline', '/pages/timeline'),
    place('runs', '/resources/runs'),
    place('run', record('runs', failed)),
    place('run-live', record('runs', running)),
    place('schedules', '/resources/schedules'),
    place('schedule', record('schedules', schedule)),
    place('schedule-edit', record('schedules', schedule, 'edit')),
    place('schedule-new', '/resources/schedules/actions/new'),
    place('queues', '/resources/queues'),
    place('queue', record('queues', 'mail')),
    place('workers', '/resources/workers'),
    place('worker', record('workers', 'ada@mill')),
    place('firings', '/resources/firings'),
    place('keys', '/resources/keys'),
    place('key-new', '/resources/keys/actions/new'),
    place('users', '/resources/users'),
    place('user-new', '/resources/users/actions/new'),
    place('audit', '/resources/audit'),
    place('audit-entry', record('audit', audit)),
  ]
}

/** Dialogs: where, and the button that opens each. */
export function listDialogs(subjects: Subjects): { name: string; path: string; opener: string }[] {
  const paths = Object.fromEntries(listPlaces(subjects).map(({ name, path }) => [name, path]))
  const openers = {
    problems: ['Move runs…'],
    run: ['Retry with other input', 'Delete'],
    'run-live': ['Revoke'],
    schedules: ['Switch off heart beat', 'Import'],
    schedule: ['Delete'],
    'schedule-edit': ['Dry run'],
    queues: ['New queue'],
    queue: ['Limits', 'Move', 'Purge'],
    worker: ['Concurrency', 'Stop'],
  }
  return Object.entries(openers).flatMap(([name, buttons]) =>
    buttons.map((opener) => ({ name: `${name}: ${opener}`, path: paths[name]!, opener })),
  )
}
