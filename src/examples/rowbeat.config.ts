/**
 * The configuration of the examples, as an app has one in its own folder: who waits for a run is served by the
 * queue `high`, the rest by `default`. Patterns, not code of each task: whoever operates the app finds them in
 * one place, and they hold for runs that SQL and schedules ask for too.
 */
import type { Routes } from '../index.ts'

const routes: Routes = {
  'widgets.rename_widget': 'high',
  'users.send_*': { queue: 'high', priority: 5 },
}

export const config = { routes }
