/**
 * The panel in the browser: each page under the name by which AdminJS's options (admin/adminjs.ts) and frame/views.tsx know it. Run
 * as a script of the document, before AdminJS draws its application, which is ours.
 */
import { Application } from './frame/application.tsx'
import { AuditList } from './audit/audit-list.tsx'
import { FiringList } from './firings/firing-list.tsx'
import { KeyForm } from './access/key-form.tsx'
import { KeyList } from './access/key-list.tsx'
import { UserForm } from './access/user-form.tsx'
import { UserList } from './access/user-list.tsx'
import { RecordShow } from './record/record-show.tsx'
import { showTheme } from './frame/theme.ts'
import { speak } from './kit/text.ts'
import { ScheduleForm } from './schedules/form.tsx'
import { ScheduleList } from './schedules/list.tsx'
import { ScheduleShow } from './schedules/show.tsx'
import { TimelinePage } from './schedules/timeline.tsx'
import { FailuresPage } from './runs/failures.tsx'
import { RunList } from './runs/list.tsx'
import { RunShow } from './runs/show.tsx'
import { OverviewPage } from './operate/overview.tsx'
import { ProblemsPage } from './operate/problems.tsx'
import { QueueList } from './operate/queue-list.tsx'
import { QueueShow } from './operate/queue-show.tsx'
import { WorkerList } from './operate/worker-list.tsx'
import { WorkerShow } from './operate/worker-show.tsx'

showTheme()
speak()

Object.assign(AdminJS.UserComponents, {
  Application,
  OverviewPage,
  ProblemsPage,
  FailuresPage,
  TimelinePage,
  RunList,
  RunShow,
  ScheduleList,
  ScheduleShow,
  ScheduleForm,
  QueueList,
  QueueShow,
  WorkerList,
  WorkerShow,
  FiringList,
  KeyList,
  KeyForm,
  UserList,
  UserForm,
  AuditList,
  RecordShow,
})
