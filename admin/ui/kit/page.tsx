/** A page and what divides it: title, cards, tabs, and words for when there is nothing. */
import { useEffect, useId, useRef, type KeyboardEvent, type ReactNode } from 'react'
import type { Refusal } from './client.ts'
import { Button } from './control.tsx'
import { t } from './text.ts'

export interface PageProps {
  title: string
  lead?: ReactNode
  actions?: ReactNode
  children?: ReactNode
}

export function Page({ title, lead, actions, children }: PageProps): ReactNode {
  useEffect(() => {
    document.title = `${title} · ${t('frame.product')}`
  }, [title])
  return (
    <div className="rb-page">
      <header className="rb-page-head">
        <div className="rb-page-words">
          <h1>{title}</h1>
          {lead ? <div className="rb-lead">{lead}</div> : null}
        </div>
        {actions ? <div className="rb-actions">{actions}</div> : null}
      </header>
      {children}
    </div>
  )
}

export function Card({
  title,
  actions,
  className = '',
  children,
}: {
  title?: ReactNode
  actions?: ReactNode
  className?: string
  children?: ReactNode
}): ReactNode {
  const id = useId()
  return (
    <section className={`rb-card ${className}`} aria-labelledby={title ? id : undefined}>
      {title || actions ? (
        <header className="rb-card-head">
          {title ? <h2 id={id}>{title}</h2> : <span />}
          {actions ? <div className="rb-actions">{actions}</div> : null}
        </header>
      ) : null}
      {children}
    </section>
  )
}

export function Empty({
  title,
  children,
  actions,
}: {
  title?: string
  children?: ReactNode
  actions?: ReactNode
}): ReactNode {
  return (
    <div className="rb-empty">
      <p className="rb-empty-title">{title ?? t('kit.nothing')}</p>
      {children ? <div className="rb-empty-words">{children}</div> : null}
      {actions}
    </div>
  )
}

/** What `useLoad` could not get, with the way to ask again. */
export function Trouble({ error, retry }: { error: Refusal; retry?: () => void }): ReactNode {
  return (
    <div className="rb-trouble" role="alert">
      <p>{error.text}</p>
      {error.requestId ? <p className="rb-hint">{t('kit.request', { id: error.requestId })}</p> : null}
      {retry ? <Button onClick={retry}>{t('kit.retry')}</Button> : null}
    </div>
  )
}

export function Loading(): ReactNode {
  return (
    <p className="rb-loading" role="status">
      {t('kit.loading')}
    </p>
  )
}

export interface TabItem {
  id: string
  label: ReactNode
}

/** The choice is the caller's: `active` from the address, say. Arrow keys go along, as in any tab list. */
export function Tabs({
  label,
  items,
  active,
  onChange,
  children,
}: {
  label: string
  items: readonly TabItem[]
  active: string
  onChange: (id: string) => void
  /** Of the active tab. */
  children?: ReactNode
}): ReactNode {
  const id = useId()
  const list = useRef<HTMLDivElement>(null)
  const step = (event: KeyboardEvent): void => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!move) return
    event.preventDefault()
    const at = items.findIndex((item) => item.id === active)
    const next = items[(at + move + items.length) % items.length]!
    onChange(next.id)
    list.current?.querySelector<HTMLElement>(`[data-tab="${CSS.escape(next.id)}"]`)?.focus()
  }
  return (
    <div className="rb-tabs">
      <div role="tablist" aria-label={label} className="rb-tablist" ref={list} onKeyDown={step}>
        {items.map((item) => (
          <button
            key={item.id}
            type="button"
            role="tab"
            data-tab={item.id}
            id={`${id}-${item.id}`}
            aria-selected={item.id === active}
            aria-controls={children === undefined ? undefined : `${id}-panel`}
            tabIndex={item.id === active ? 0 : -1}
            className="rb-tab"
            onClick={() => onChange(item.id)}
          >
            {item.label}
          </button>
        ))}
      </div>
      {children === undefined ? null : (
        <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${active}`} className="rb-tabpanel">
          {children}
        </div>
      )}
    </div>
  )
}
