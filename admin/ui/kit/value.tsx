/** Single values as the pages show them: a state, an instant, a length of time, text to copy, JSON. All of it is text: nothing stored is ever HTML. */
import { useEffect, useState, type ReactNode } from 'react'
import { createBox, useBox } from './box.ts'
import { Button } from './control.tsx'
import { absoluteText, relativeText } from './figures.ts'
import { notify } from './notice.tsx'
import { durationText, localeTag, t, tOr } from './text.ts'

/** A chip. What is no known state is shown as it is. */
export function State({ state, title }: { state: string; title?: string }): ReactNode {
  return (
    <span
      className={`rb-state rb-state-${/^[a-z_]+$/i.test(state) ? state.toLowerCase() : 'other'}`}
      title={title}
    >
      {tOr(`states.${state}`, state)}
    </span>
  )
}

const TICK_MS = 5000
const clock = createBox(Date.now())
const ticking = { count: 0, timer: 0 }

/** Milliseconds since 1970, every five seconds while somebody looks. */
export function useNow(): number {
  useEffect(() => {
    if (ticking.count++ === 0) {
      clock.set(Date.now())
      ticking.timer = window.setInterval(() => clock.set(Date.now()), TICK_MS)
    }
    return () => {
      if (--ticking.count === 0) window.clearInterval(ticking.timer)
    }
  }, [])
  return useBox(clock)
}

/** How long ago, or until; the instant itself in the viewer's zone as the title. `plain` shows the instant. */
export function Time({
  at,
  plain = false,
  zone,
}: {
  at: string | null | undefined
  plain?: boolean
  zone?: string
}): ReactNode {
  const now = useNow()
  if (!at) return <span className="rb-none">–</span>
  const ms = Date.parse(at)
  if (Number.isNaN(ms)) return <span>{at}</span>
  const absolute = absoluteText(at, localeTag(), zone)
  return (
    <time dateTime={at} title={absolute} className={plain ? undefined : 'rb-nowrap'}>
      {plain ? absolute : relativeText(ms, Math.max(now, Date.now()), localeTag())}
    </time>
  )
}

export function Duration({ seconds }: { seconds: number | null | undefined }): ReactNode {
  if (seconds === null || seconds === undefined) return <span className="rb-none">–</span>
  return <span className="rb-figure">{durationText(seconds)}</span>
}

export function Copy({ text, label }: { text: string; label: string }): ReactNode {
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), 1500)
    return () => clearTimeout(timer)
  }, [isCopied])
  return (
    <Button
      kind="quiet"
      className="rb-copy"
      aria-label={t('kit.copyThis', { name: label })}
      onClick={() => {
        copyText(text).then(
          () => setCopied(true),
          (error: unknown) => notify('error', error),
        )
      }}
    >
      {isCopied ? t('kit.copied') : t('kit.copy')}
    </Button>
  )
}

/** The clipboard is for pages over TLS; elsewhere the old way. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return await navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'rb-unseen'
  const home = document.querySelector('dialog[open]') ?? document.body
  home.append(area)
  area.select()
  document.execCommand('copy')
  area.remove()
}

/** Text as it is, to read and to copy. */
export function Code({
  text,
  label,
  copy = true,
}: {
  text: string
  label?: string
  copy?: boolean
}): ReactNode {
  return (
    <div className="rb-code">
      {copy ? <Copy text={text} label={label ?? ''} /> : null}
      <pre tabIndex={0} aria-label={label}>
        <code>{text}</code>
      </pre>
    </div>
  )
}
