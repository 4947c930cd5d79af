/** JSON to read: what is nested folds, long text is cut until asked for, and the whole can be copied as it is. */
import { useState, type ReactNode } from 'react'
import { Button } from './control.tsx'
import { t } from './text.ts'
import { Copy } from './value.tsx'

const TEXT_MAX = 400
const ITEMS_MAX = 100
/** Deeper than this starts folded. */
const OPEN_DEPTH = 2

export function Json({ value, label = 'JSON' }: { value: unknown; label?: string }): ReactNode {
  return (
    <div className="rb-json">
      <Copy text={JSON.stringify(value, null, 2) ?? 'null'} label={label} />
      <Node value={value} depth={0} />
    </div>
  )
}

function Node({ name, value, depth }: { name?: string; value: unknown; depth: number }): ReactNode {
  const [shown, setShown] = useState(ITEMS_MAX)
  const head = name === undefined ? null : <span className="rb-json-key">{name}: </span>
  if (typeof value !== 'object' || value === null)
    return (
      <div className="rb-json-leaf">
        {head}
        <Scalar value={value} />
      </div>
    )
  const entries = Object.entries(value)
  const isList = Array.isArray(value)
  if (entries.length === 0)
    return (
      <div className="rb-json-leaf">
        {head}
        {isList ? '[]' : '{}'}
      </div>
    )
  const count = t(isList ? 'kit.items' : 'kit.fields', { count: entries.length })
  return (
    <details className="rb-json-node" open={depth < OPEN_DEPTH}>
      <summary>
        {head}
        <span className="rb-json-count">{isList ? `[ ${count} ]` : `{ ${count} }`}</span>
      </summary>
      <div className="rb-json-inner">
        {entries.slice(0, shown).map(([key, one]) => (
          <Node key={key} name={key} value={one} depth={depth + 1} />
        ))}
        {entries.length > shown ? (
          <Button kind="quiet" onClick={() => setShown(shown + 10 * ITEMS_MAX)}>
            {t('kit.more')}
          </Button>
        ) : null}
      </div>
    </details>
  )
}

function Scalar({ value }: { value: unknown }): ReactNode {
  const [isWhole, setWhole] = useState(false)
  const kind = value === null ? 'null' : typeof value
  const text = JSON.stringify(value) ?? 'undefined'
  if (text.length <= TEXT_MAX || isWhole) return <span className={`rb-json-${kind}`}>{text}</span>
  return (
    <>
      <span className={`rb-json-${kind}`}>{text.slice(0, TEXT_MAX)}…</span>{' '}
      <Button kind="quiet" onClick={() => setWhole(true)}>
        {t('kit.rest', { count: text.length })}
      </Button>
    </>
  )
}
