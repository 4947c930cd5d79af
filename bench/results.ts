/**
 * The shape of the JSON file, and what is read out of it: the spread of a contestant over the rounds, and
 * the verdict on a floor. A file may be added to by a later run with `--only`; each scenario keeps its date.
 */
import type { Floor } from './floors.ts'
import { quantile, spread } from './statistics.ts'
import type { Spread } from './statistics.ts'
import type { Metrics } from './scenario.ts'

export interface ContestantResult {
  key: string
  label: string
  group: string
  rounds: Metrics[]
}

export interface ScenarioResult {
  date: string
  load: string
  contestants: ContestantResult[]
}

export interface Results {
  machine: Record<string, string>
  scenarios: Record<string, ScenarioResult>
}

export function spreadOf(contestant: ContestantResult, metric: string): Spread | null {
  const values = contestant.rounds.map((round) => round[metric]).filter((value) => value !== undefined)
  return values.length === 0 ? null : spread(values)
}

export interface Verdict {
  floor: Floor
  seen: Spread
  held: boolean | null
  ours: string
}

function pickBest(result: ScenarioResult, keys: string[], metric: string, high: boolean) {
  const found = result.contestants.filter((one) => keys.includes(one.key) && one.rounds.length > 0)
  const median = (one: ContestantResult): number =>
    quantile(
      one.rounds.map((round) => round[metric]!),
      0.5,
    )
  return found.sort((a, b) => (high ? median(b) - median(a) : median(a) - median(b)))[0]
}

/** Null when the contestants of the floor did not run. */
export function judge(results: Results, floor: Floor): Verdict | null {
  const result = results.scenarios[floor.scenario]
  if (!result) return null
  const high = floor.atMost === undefined
  const ours = pickBest(result, floor.ours, floor.metric, high)
  const theirs = pickBest(result, floor.theirs, floor.metric, high)
  if (!ours || (floor.theirs.length > 0 && !theirs)) return null
  // A contestant that failed in a round has no figures of it: pairs are made by the round's number.
  const ratios = ours.rounds.flatMap((round) => {
    const other = theirs?.rounds.find((one) => one['round'] === round['round'])
    if (theirs && !other) return []
    return [round[floor.metric]! / (other ? other[floor.metric]! : 1)]
  })
  if (ratios.length === 0) return null
  const seen = spread(ratios)
  const bounded = floor.atLeast !== undefined || floor.atMost !== undefined
  const held = seen.median >= (floor.atLeast ?? -Infinity) && seen.median <= (floor.atMost ?? Infinity)
  return { floor, seen, held: bounded ? held : null, ours: ours.label }
}
