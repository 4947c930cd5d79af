/**
 * Writes the figures as Markdown between two markers of docs/benchmarks.md; what stands around them is
 * written by people. A page that does not exist yet is made with the markers and a title. The section of a scenario
 * that these results do not have stays as it was.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { FLOORS } from './floors.ts'
import { judge, spreadOf } from './results.ts'
import type { ContestantResult, Results, ScenarioResult } from './results.ts'
import type { Column, Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios/all.ts'
import type { Spread } from './statistics.ts'

const BEGIN = '<!-- bench:begin (written by npm run bench) -->'
const END = '<!-- bench:end -->'

function figure(value: number, format: Column['format']): string {
  if (format === 'rate') return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ')
  if (format === 'count') return value.toFixed(0)
  if (format === 'ratio') return value.toFixed(2)
  return value.toFixed(1)
}

function cell(spread: Spread | null, format: Column['format']): string {
  if (!spread) return ''
  const middle = figure(spread.median, format)
  if (spread.min === spread.max) return middle
  return `${middle} (${figure(spread.min, format)}–${figure(spread.max, format)})`
}

function row(contestant: ContestantResult, columns: Column[]): string {
  const cells = columns.map((column) => cell(spreadOf(contestant, column.metric), column.format))
  return `| ${contestant.label} | ${cells.join(' | ')} |`
}

function table(group: string, contestants: ContestantResult[], columns: Column[]): string[] {
  const titles = columns.map((column) => column.title)
  return [
    `| ${group || 'contestant'} | ${titles.join(' | ')} |`,
    `|---|${columns.map(() => '---:|').join('')}`,
    ...contestants.map((contestant) => row(contestant, columns)),
    '',
  ]
}

/** A row for each thing that one contestant measured. */
function tableOfRows(contestant: ContestantResult, { title, names, columns }: NonNullable<Scenario['rows']>) {
  const cells = (name: string): string[] =>
    columns.map(({ metric, format }) => cell(spreadOf(contestant, `${name}.${metric}`), format))
  return [
    `| ${title} | ${columns.map((column) => column.title).join(' | ')} |`,
    `|---|${columns.map(() => '---:|').join('')}`,
    ...names.map((name) => `| ${name} | ${cells(name).join(' | ')} |`),
    '',
  ]
}

export function ratio(spread: Spread): string {
  const digits = spread.median >= 20 ? 1 : 2
  const range = `${spread.min.toFixed(digits)}–${spread.max.toFixed(digits)}`
  return spread.min === spread.max
    ? spread.median.toFixed(digits)
    : `${spread.median.toFixed(digits)} (${range})`
}

export function floorRows(results: Results, name: string): string[] {
  const verdicts = FLOORS.filter((floor) => floor.scenario === name).map((floor) => judge(results, floor))
  return verdicts
    .filter((verdict) => verdict !== null)
    .map(({ floor, seen, held, ours }) => {
      const bound =
        floor.atLeast !== undefined
          ? `≥ ${floor.atLeast}`
          : floor.atMost !== undefined
            ? `≤ ${floor.atMost}`
            : ''
      const which = floor.ours.length > 1 ? ` (${ours})` : ''
      return `| ${floor.says}${which} | ${bound} | ${ratio(seen)} | ${held === null ? '' : held ? 'yes' : '**no**'} |`
    })
}

function othersOf(result: ScenarioResult): string {
  const cores = result.contestants.flatMap((one) => one.rounds.map((round) => round['neighbours'] ?? 0))
  return cores.length === 0 ? '' : `, other processes at most ${Math.max(...cores).toFixed(1)} cores`
}

function section(scenario: Scenario, result: ScenarioResult, results: Results): string[] {
  const groups = [...new Set(result.contestants.map((one) => one.group))]
  const rounds = Math.max(...result.contestants.map((one) => one.rounds.length))
  const floors = floorRows(results, scenario.name)
  return [
    `## ${scenario.title}`,
    '',
    `${scenario.about} ${rounds} round${rounds === 1 ? '' : 's'}, ${result.date}, load average ${result.load}${othersOf(result)}.`,
    '',
    ...groups.flatMap((group) =>
      table(
        group,
        result.contestants.filter((one) => one.group === group && one.rounds.length > 0),
        scenario.columns,
      ),
    ),
    ...(scenario.rows ? result.contestants.flatMap((one) => tableOfRows(one, scenario.rows!)) : []),
    ...(floors.length > 0
      ? ['| ratio, round by round | floor | seen | held |', '|---|---|---|---|', ...floors, '']
      : []),
  ]
}

export function render(results: Results, before = ''): string {
  const machine = Object.entries(results.machine).map(([name, value]) => `${name} ${value}`)
  const sections = SCENARIOS.flatMap((scenario) => {
    const result = results.scenarios[scenario.name]
    return result ? section(scenario, result, results) : sectionOf(before, scenario.title)
  })
  return [
    `Machine: ${machine.join('; ')}.`,
    '',
    'Figures are medians (lowest–highest); client and server share the machine.',
    '',
    ...sections,
  ].join('\n')
}

/** The lines of one section of a page. */
function sectionOf(page: string, title: string): string[] {
  const lines = page.split('\n')
  const from = lines.indexOf(`## ${title}`)
  if (from === -1) return []
  const length = lines.slice(from + 1).findIndex((line) => line.startsWith('## ') || line === END)
  return lines.slice(from, length === -1 ? undefined : from + 1 + length)
}

export function writePage(path: string, results: Results): void {
  const empty = `# Benchmarks\n\n${BEGIN}\n${END}\n`
  const page = existsSync(path) ? readFileSync(path, 'utf8') : empty
  const from = page.indexOf(BEGIN)
  const to = page.indexOf(END)
  const body = `${BEGIN}\n${render(results, page)}\n${END}`
  const next =
    from === -1 || to === -1 ? `${page}\n${body}\n` : page.slice(0, from) + body + page.slice(to + END.length)
  writeFileSync(path, next)
}
