/**
 * What AdminJS is told of the panel: the resources, the pages that stand beside them, and its name. The components are named only; the
 * browser has them from our bundle (ui/main.tsx), so AdminJS bundles nothing.
 */
import { AdminJS } from 'adminjs'
import type { Rowbeat } from '../src/queue/rowbeat.ts'
import { VERSION } from '../src/version.ts'
import { describeResources } from './resources/resources.ts'

export interface PanelAdmin {
  adminjs: AdminJS
}

export interface PanelPlace {
  rowbeat: Rowbeat
  /** Where the panel is, as /admin. */
  root: string
  /** Of crontabs that name none. */
  timezone?: string
}

export async function describePanel({ rowbeat, root, timezone }: PanelPlace): Promise<PanelAdmin> {
  const adminjs = new AdminJS({
    rootPath: root,
    loginPath: `${root}/login`,
    logoutPath: `${root}/logout`,
    branding: { companyName: 'Rowbeat', logo: false, withMadeWithLove: false },
    version: { app: VERSION },
    dashboard: { component: 'OverviewPage' },
    pages: {
      problems: { component: 'ProblemsPage', icon: 'AlertTriangle' },
      failures: { component: 'FailuresPage', icon: 'XOctagon' },
      timeline: { component: 'TimelinePage', icon: 'Calendar' },
    },
    resources: describeResources(rowbeat, { timezone }),
  })
  return { adminjs }
}
