/**
 * Rows of one kind. On a phone each row is a card, with the name of the column before each value. The roles are said outright,
 * since a table that is laid out otherwise is no table to some readers.
 */
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { Button, Check } from './control.tsx'
import { Empty } from './page.tsx'
import { t } from './text.ts'

export interface Column<Row> {
  key: string
  title: string
  render: (row: Row) => ReactNode
  /** Figures stand right. */
  align?: 'right'
  /** The name of the row: its first cell to whoever hears it. */
  isHead?: boolean
  className?: string
}

export interface Selection {
  chosen: ReadonlySet<string>
  onChange: (chosen: ReadonlySet<string>) => void
}

export interface TableProps<Row> {
  columns: readonly Column<Row>[]
  rows: readonly Row[]
  keyOf: (row: Row) => string
  /** What the table is of, for whoever hears it. */
  label?: string
  select?: Selection
  nameOf?: (row: Row) => string
  /** In place of rows when there are none. */
  empty?: ReactNode
  /** Loads what is behind; null or absent at the end. */
  onMore?: (() => void) | null
  busy?: boolean
  rowClass?: (row: Row) => string
}

export function Table<Row>(props: TableProps<Row>): ReactNode {
  const { columns, rows, keyOf, label, select, empty, onMore, busy, rowClass } = props
  const nameOf = props.nameOf ?? keyOf
  if (rows.length === 0 && !busy) return <>{empty ?? <Empty />}</>
  const isAll = rows.length > 0 && rows.every((row) => select?.chosen.has(keyOf(row)))
  const choose = (keys: readonly string[], isChosen: boolean): void => {
    const chosen = new Set(select!.chosen)
    for (const key of keys)
      if (isChosen) chosen.add(key)
      else chosen.delete(key)
    select!.onChange(chosen)
  }
  return (
    <TableBox>
      <table className="rb-table" role="table" aria-label={label} aria-busy={busy || undefined}>
        <thead role="rowgroup">
          <tr role="row">
            {select ? (
              <th role="columnheader" scope="col" className="rb-select-cell">
                <Check
                  hideLabel
                  label={t('kit.selectAll')}
                  checked={isAll}
                  onChange={(isChosen) => choose(rows.map(keyOf), isChosen)}
                />
              </th>
            ) : null}
            {columns.map(({ key, title, align }) => (
              <th key={key} role="columnheader" scope="col" className={align ? 'rb-right' : ''}>
                {title || <span className="rb-unseen">{key}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr
              key={keyOf(row)}
              role="row"
              className={`${rowClass?.(row) ?? ''} ${select?.chosen.has(keyOf(row)) ? 'rb-chosen' : ''}`}
            >
              {select ? (
                <td role="cell" className="rb-select-cell">
                  <Check
                    hideLabel
                    label={t('kit.selectRow', { name: nameOf(row) })}
                    checked={select.chosen.has(keyOf(row))}
                    onChange={(isChosen) => choose([keyOf(row)], isChosen)}
                  />
                </td>
              ) : null}
              {columns.map((column) => (
                <Cell key={column.key} column={column} row={row} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {onMore ? (
        <div className="rb-more">
          <Button busy={busy} onClick={onMore}>
            {t('kit.more')}
          </Button>
        </div>
      ) : null}
    </TableBox>
  )
}

/** What is wider than its place scrolls, and can be scrolled by keyboard. */
export function TableBox({ children }: { children: ReactNode }): ReactNode {
  const box = useRef<HTMLDivElement>(null)
  const [scrolls, setScrolls] = useState(false)
  useEffect(() => {
    const { current } = box
    if (!current) return
    const look = (): void => setScrolls(current.scrollWidth > current.clientWidth)
    const observer = new ResizeObserver(look)
    observer.observe(current)
    for (const child of current.children) observer.observe(child)
    return () => observer.disconnect()
  }, [])
  return (
    <div className="rb-table-box" ref={box} {...(scrolls ? { tabIndex: 0, role: 'group' } : {})}>
      {children}
    </div>
  )
}

function Cell<Row>({ column, row }: { column: Column<Row>; row: Row }): ReactNode {
  const className = `${column.align ? 'rb-right' : ''} ${column.className ?? ''}`
  const content = (
    <>
      {column.title ? (
        <span className="rb-cell-name" aria-hidden="true">
          {column.title}
        </span>
      ) : null}
      <span className="rb-cell-value">{column.render(row)}</span>
    </>
  )
  return column.isHead ? (
    <th role="rowheader" scope="row" className={className}>
      {content}
    </th>
  ) : (
    <td role="cell" className={className}>
      {content}
    </td>
  )
}
