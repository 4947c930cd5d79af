/**
 * Which component a place of the panel shows. AdminJS says it: the document has its dashboard, pages and resources, each
 * action with the name of a component, and only those actions that the viewer may use.
 */
import type { ComponentType, ReactNode } from 'react'
import { useLocation, useParams } from 'react-router-dom'
import { Empty, Page, t, useMe } from '../kit/kit.ts'
import { Boundary } from './boundary.tsx'

/** What every page is given; a page of no resource has neither. */
export interface ViewProps {
  resourceId: string
  recordId: string
}

interface ActionTold {
  name: string
  component?: string | false
}

interface ViewsTold {
  dashboard?: { component?: string }
  pages?: readonly { name: string; component?: string }[]
  resources?: readonly {
    id: string
    actions?: readonly ActionTold[]
    resourceActions?: readonly ActionTold[]
  }[]
}

const told = (globalThis as { REDUX_STATE?: ViewsTold }).REDUX_STATE ?? {}

export function DashboardView(): ReactNode {
  return <View name={told.dashboard?.component ?? 'OverviewPage'} />
}

export function PageView(): ReactNode {
  const { pageName } = useParams()
  const page = told.pages?.find(({ name }) => name === pageName)
  return page?.component ? <View name={page.component} /> : <Missing />
}

export function ResourceView({ action }: { action?: string }): ReactNode {
  const { resourceId = '', actionName = action, recordId = '' } = useParams()
  const resource = told.resources?.find(({ id }) => id === resourceId)
  if (!resource) return <Missing />
  const { actions = [], resourceActions = [] } = resource
  const found = actions.find(({ name }) => name === actionName)
  if (!found?.component || !actionName || !Object.hasOwn(NEEDS, actionName)) return <Missing />
  const mayUse = resourceActions.some(({ name }) => name === NEEDS[actionName])
  if (!mayUse) return <Refused />
  return <View name={found.component} resourceId={resourceId} recordId={recordId} />
}

/** The document has all actions of a resource, and of those that need no record the ones that the viewer may use: by these the others are judged. */
const NEEDS: Readonly<Record<string, string>> = { list: 'list', show: 'list', new: 'new', edit: 'new' }

function View({ name, resourceId = '', recordId = '' }: { name: string } & Partial<ViewProps>): ReactNode {
  const { pathname } = useLocation()
  const Shown = AdminJS.UserComponents[name] as ComponentType<ViewProps> | undefined
  if (!Shown) return <Missing />
  return (
    <Boundary key={pathname}>
      <Shown resourceId={resourceId} recordId={recordId} />
    </Boundary>
  )
}

export function Missing(): ReactNode {
  return (
    <Page title={t('frame.notFound')}>
      <Empty title={t('frame.notFound')}>{t('frame.notFoundText')}</Empty>
    </Page>
  )
}

function Refused(): ReactNode {
  const { role } = useMe()
  return (
    <Page title={t('frame.notAllowed')}>
      <Empty title={t('frame.notAllowed')}>{t('frame.notAllowedText', { role })}</Empty>
    </Page>
  )
}
