// Measures the demos beside the same in Node, beside nginx, and beside a floor in raw system calls.
//
//     ./run bench                      everything: tables, notes/data/*.json, notes/pictures/*.svg
//     ./run bench quick                fewer and shorter rounds; the data stays in build/bench/
//     ./run bench close ours nginx     some parts, some candidates; the data stays in build/bench/
//     ./run bench calls fanout ours    the system calls of a request, by name; needs no quiet machine
//
// The steady figures are counts, and ratios of what was measured side by side. How long something
// takes, and how many requests a second that makes, depends on who else needs the processors: here
// the load does, on the same machine.
//
// A part is a module with measure(chosen, effort), print(result, effort), and judge(result) if there
// is a goal.
'use strict'

const fs = require('fs')
const os = require('os')
const path = require('path')
const { execFileSync } = require('child_process')
const { root, scratch } = require('./servers')
const { drawAll } = require('./chart')
const { table } = require('./table')
const perRequest = require('./per_request')

// Each by the name that is typed, with the file its data goes to, and the place there.
const parts = [
  ...Object.keys(perRequest.groups).map(name => ({
    ...perRequest, name, file: 'bench', key: 'per_request', measure: (...how) => perRequest.measure(name, ...how)
  })),
  { ...require('./handles'), name: 'handles', file: 'bench', key: 'handles' },
  { ...require('./answers'), name: 'answers', file: 'bench', key: 'answers' },
  { ...require('./start'), name: 'start', file: 'bench', key: 'start' },
  { ...require('./sharing'), name: 'sharing', file: 'sharing', key: 'ways' },
  { ...require('./lines'), name: 'lines', file: 'bench', key: 'lines' }
]
const candidates = ['ours', 'floor', 'nginx', 'node', 'node_cluster', 'exclusive', 'shared', 'least_busy', 'node_shared', 'node_primary', 'node_workers']
const efforts = {
  full: { rounds: 9, warmUp: 2, seconds: 0.5, starts: 9, runs: 50, turns: 5, connections: 1024, members: 10000 },
  quick: { rounds: 3, warmUp: 1, seconds: 0.3, starts: 2, runs: 8, turns: 1, connections: 512, members: 10000 },
  calls: { rounds: 1, warmUp: 1, seconds: 0.5, starts: 1, runs: 20, turns: 1, connections: 1024, members: 10000, names: true },
  smoke: { rounds: 1, warmUp: 0.1, seconds: 0.1, starts: 1, runs: 1, turns: 1, connections: 40, members: 1000 } // for a test
}

function version (command, args) {
  const output = execFileSync('sh', ['-c', `${command} ${args} 2>&1; true`], { encoding: 'utf8' })
  return /\d+\.\d+[.\d]*/.exec(output)?.[0] ?? 'not here'
}

function circumstances (words, effort) {
  return {
    command: ['./run bench', ...words].join(' '),
    date: new Date().toISOString().slice(0, 10),
    kernel: os.release().split('-')[0], // what comes after it names a build
    cores: os.cpus().length,
    versions: { node: process.versions.node, nginx: version('nginx', '-v'), wrk: version('wrk', '-v'), 'g++': version('g++', '--version') },
    effort,
    workers: 4
  }
}

function printGoals (goals) {
  console.log('goals')
  const verdict = ({ figure, least = figure, limit }) =>
    figure <= limit ? 'reached' : least <= limit ? 'within the noise' : 'MISSED'
  table(['', 'figure', 'limit', ''], goals.map(goal => [goal.what, goal.figure, goal.limit, verdict(goal)]))
}

async function main (words) {
  const names = parts.map(part => part.name)
  const unknown = words.find(word => ![...names, ...candidates, ...Object.keys(efforts)].includes(word))
  if (unknown) {
    console.error(`bench: there is no ${unknown}\n  parts:      ${names.join(' ')}\n  candidates: ${candidates.join(' ')}\n  effort:     quick calls`)
    return 2
  }
  const effort = efforts[words.find(word => efforts[word]) ?? 'full']
  const some = list => { const named = words.filter(word => list.includes(word)); return name => !named.length || named.includes(name) }
  const [isPart, isCandidate] = [some(names), some(candidates)]
  fs.mkdirSync(scratch, { recursive: true })

  const files = {}
  for (const { name, file, key, measure, print, judge } of parts) {
    if (!isPart(name)) continue
    const result = await measure(isCandidate, effort)
    print(result, effort)
    const data = files[file] ??= circumstances(words, effort)
    data[key] = Array.isArray(data[key]) ? [...data[key], ...result] : result
    if (judge) data.goals = [...data.goals ?? [], ...judge(result)]
  }
  const goals = Object.values(files).flatMap(data => data.goals ?? [])
  if (goals.length) printGoals(goals)

  const everything = words.length === 0
  const folder = everything ? path.join(root, 'notes/data') : scratch
  for (const [name, data] of Object.entries(files)) fs.writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(data, null, 2) + '\n')
  if (everything) drawAll()
  console.log(`data: ${path.relative(process.cwd(), folder) || '.'}/${everything ? '   charts: notes/pictures/' : ''}`)
  return 0
}

main(process.argv.slice(2)).then(code => { process.exitCode = code }, error => {
  console.error(`bench: ${error.message}`)
  process.exitCode = 1
})
