// Measures the demos beside the same in Node, beside nginx, and beside a floor in raw system calls.
//
//     ./run bench                      everything: tables, notes/data/*.json, notes/pictures/*.svg
//     ./run bench quick                fewer and shorter rounds; the data stays in build/bench/
//     ./run bench close ours nginx     some figures, some candidates; the data stays in build/bench/
//
// The steady figure is the processor time that all processes of a server take for one request. How
// many requests a second that makes depends on who else needs the processors: here the load does, on
// the same machine. Rounds are interleaved, A B C A B C, so that a slow minute hits all alike, and
// the figures are the medians of the rounds.
'use strict'

const fs = require('fs')
const os = require('os')
const path = require('path')
const { execFileSync, execFile } = require('child_process')
const { promisify } = require('util')
const { Server, commands, here, root, scratch } = require('./servers')
const { drawAll } = require('./chart')

const run = promisify(execFile)

const candidates = ['ours', 'floor', 'nginx', 'node', 'node_cluster']
const figures = {
  keep_alive: { title: 'HTTP, keep-alive, 64 connections', load: wrk, workers: [2, 4] },
  close: { title: 'HTTP, one connection per request, 64 at once', load: oneShot('http'), workers: [2, 4] },
  fanout: { title: 'socket_fanout: every connection handed over, 64 at once', load: oneShot('tcp'), workers: [4] },
  handoff: { title: 'server_handoff: the listener handed over, 64 at once', load: oneShot('tcp'), workers: [4] }
}

// Upper limits; a figure relative to another candidate's is a ratio of processor times per request.
const goals = {
  keep_alive: { floor: 1.10, nginx: 0.90, node: 0.25 },
  close: { floor: 1.15, nginx: 1.05, node: 0.30 },
  fanout: { node: 0.25 },
  handoff: { node: 0.25 },
  ready_ms: 15,
  memory_kib: 0.8 * 1024
}

const full = { rounds: 7, seconds: 1, starts: 15, connections: 1024 }
const quick = { rounds: 3, seconds: 1, starts: 5, connections: 1024 }
const smoke = { rounds: 1, seconds: 0.1, starts: 1, connections: 40 }

// ---------------------------------------------------------------- loads

async function wrk (port, seconds) {
  const { stdout } = await run('wrk', ['-t1', '-c64', `-d${Math.ceil(seconds)}s`, '-s', path.join(__dirname, 'wrk_json.lua'),
    `http://127.0.0.1:${port}/`])
  return JSON.parse(stdout.trim().split('\n').pop())
}

function oneShot (protocol) {
  return (port, seconds) => oneConnectionEach(protocol, port, { seconds, concurrency: 64 })
}

async function oneConnectionEach (protocol, port, { count = 1e9, seconds = 60, concurrency }) {
  const { stdout } = await run(here('bench_load'), [protocol, port, count, seconds, concurrency].map(String))
  return JSON.parse(stdout)
}

// ---------------------------------------------------------------- figures

function median (values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

const round = (value, digits) => Number(value.toFixed(digits))

async function measureOnce (server, load, seconds) {
  const before = { processes: String(server.processes), time: server.cpuTime() }
  const result = await load(server.port, seconds)
  const time = server.cpuTime() - before.time
  if (result.errors) throw new Error(`${result.errors} requests failed: ${server.name}`)
  // The time of a process that has ended meanwhile would be missing.
  if (String(server.processes) !== before.processes) throw new Error(`a process came or went: ${server.name}`)
  return { cpu_us: time / 1000 / result.answers, per_second: result.answers / result.seconds, p99_ms: result.p99_ms }
}

async function measure (name, workers, chosen, effort) {
  const { load } = figures[name]
  const names = candidates.filter(name_ => chosen(name_) && commands[name][name_])
  const servers = []
  try {
    for (const candidate of names) servers.push(await Server.start(commands[name][candidate](workers)))
    for (const server of servers) await load(server.port, 2 * effort.seconds) // Node compiles what is hot
    const samples = names.map(() => [])
    for (let i = 0; i < effort.rounds; i++) {
      for (const [k, server] of servers.entries()) samples[k].push(await measureOnce(server, load, effort.seconds))
    }
    return Object.fromEntries(names.map((candidate, k) => {
      const of = key => samples[k].map(sample => sample[key])
      return [candidate, {
        cpu_us: round(median(of('cpu_us')), 2),
        per_second: Math.round(median(of('per_second'))),
        p99_ms: round(median(of('p99_ms')), 2),
        cpu_us_of_each_round: of('cpu_us').map(value => round(value, 2))
      }]
    }))
  } finally {
    for (const server of servers) await server.stop()
  }
}

// Time from starting a program to its ready line, and to its first answer (that says more of Node,
// whose main is ready before its children are); and the memory of its workers after some work. One
// program at a time: whoever shares pages with it would make it look smaller.
async function measureStart (chosen, effort) {
  const programs = {
    http_cluster: commands.keep_alive.ours,
    socket_fanout: commands.fanout.ours,
    server_handoff: commands.handoff.ours,
    floor: commands.close.floor,
    nginx: commands.keep_alive.nginx,
    node: commands.keep_alive.node,
    node_cluster: commands.keep_alive.node_cluster
  }
  const isOurs = name => name in { http_cluster: 1, socket_fanout: 1, server_handoff: 1 }
  const names = Object.keys(programs).filter(name => chosen(isOurs(name) ? 'ours' : name))
  const samples = Object.fromEntries(names.map(name => [name, []]))
  for (let i = 0; i < effort.starts; i++) {
    for (const name of names) {
      const server = await Server.start(programs[name](4))
      try {
        const answered = await server.firstAnswer()
        await oneConnectionEach('http', server.port, { count: 1000, concurrency: 64 })
        samples[name].push({ ready_ms: server.readyAfter, answered_ms: answered, memory_kib: server.memory() })
      } finally {
        await server.stop()
      }
    }
  }
  return Object.fromEntries(names.map(name => {
    const of = key => median(samples[name].map(sample => sample[key]))
    const result = { answered_ms: round(of('answered_ms'), 1), memory_kib: Math.round(of('memory_kib')) }
    return [name, name === 'nginx' ? result : { ready_ms: round(of('ready_ms'), 1), ...result }]
  }))
}

// Who gets how many of so many connections, made one after the other, and how often somebody had to
// wake up for one of them.
async function measureSharing (chosen, effort) {
  const raw = { stdout: 'pipe' }
  const ways = [
    ['shared', 'shared listener, epoll', commands.sharing.shared, raw],
    ['exclusive', 'EPOLLEXCLUSIVE', commands.sharing.exclusive, raw],
    ['reuseport', 'SO_REUSEPORT', commands.sharing.reuseport, raw],
    ['blocking', 'blocking accept', commands.sharing.blocking, raw],
    ['in_turn', 'the parent hands out in turn', commands.sharing.in_turn, raw],
    ['server_handoff', 'ours: server_handoff', commands.handoff.ours, {}, 'ours'],
    ['socket_fanout', 'ours: socket_fanout', commands.fanout.ours, {}, 'ours'],
    ['node', 'Node: shared listener', commands.handoff.node, {}, 'node'],
    ['node_cluster', 'Node: cluster', commands.close.node_cluster, {}, 'node_cluster']
  ].filter(([name, , , , candidate]) => chosen(candidate ?? 'floor'))
  const result = []
  for (const [name, title, command, options] of ways) {
    const server = await Server.start(command(4), options)
    let said = ''
    try {
      const protocol = name === 'node_cluster' ? 'http' : 'tcp'
      const load = count => oneConnectionEach(protocol, server.port, { count, concurrency: 1 })
      await load(Math.ceil(effort.connections / 10)) // so that what happens only once is not counted
      const before = server.sleeps()
      const answers = await load(effort.connections)
      const sleeps = server.sleeps() - before
      const connections = server.workers.map(pid => answers.by_pid[pid] ?? 0)
      const total = connections.reduce((sum, value) => sum + value, 0)
      if (total !== effort.connections) throw new Error(`${title}: ${total} answers of workers, not ${effort.connections}`)
      result.push({ name, title, connections, sleeps_per_connection: round(sleeps / total, 2) })
    } finally {
      said = await server.stop()
    }
    if (said) {
      const { woken_for_nothing: counts } = JSON.parse(said)
      result.at(-1).woken_for_nothing = counts.reduce((sum, value) => sum + value, 0)
    }
  }
  return result
}

// ---------------------------------------------------------------- goals

function judge (results) {
  const judged = []
  const add = (what, figure, limit) => judged.push({ what, figure: round(figure, 3), limit, reached: figure <= limit })
  for (const { name, workers, candidates: measured } of results.per_request) {
    for (const [other, limit] of Object.entries(goals[name])) {
      if (!measured.ours || !measured[other]) continue
      add(`${name}, ${workers} workers: ours / ${other}`, measured.ours.cpu_us / measured[other].cpu_us, limit)
    }
  }
  for (const name of ['http_cluster', 'socket_fanout', 'server_handoff']) {
    const measured = results.start?.[name]
    if (!measured) continue
    add(`${name}, 4 workers: ready, ms`, measured.ready_ms, goals.ready_ms)
    add(`${name}, 4 workers: memory per worker, KiB`, measured.memory_kib, goals.memory_kib)
  }
  return judged
}

// ---------------------------------------------------------------- what it prints

function table (head, rows) {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map(row => String(row[i]).length)))
  const line = row => '  ' + row.map((cell, i) =>
    i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i])).join('  ')
  console.log([head, ...rows].map(line).join('\n') + '\n')
}

function printPerRequest ({ title, workers, candidates: measured }) {
  console.log(`${title}, ${workers} workers`)
  const others = ['floor', 'nginx', 'node'].filter(other => measured[other])
  table(['', 'CPU, us/request', 'requests/s', 'p99, ms', ...others.map(other => '/ ' + other)],
    Object.entries(measured).map(([name, figure]) => [name, figure.cpu_us.toFixed(2), figure.per_second, figure.p99_ms.toFixed(2),
      ...others.map(other => (figure.cpu_us / measured[other].cpu_us).toFixed(2))]))
}

function printStart (start) {
  console.log('start and memory, 4 workers')
  table(['', 'ready, ms', 'first answer, ms', 'PSS per worker, KiB'],
    Object.entries(start).map(([name, figure]) => [name, figure.ready_ms ?? '-', figure.answered_ms, figure.memory_kib]))
}

function printSharing (sharing, count) {
  console.log(`${count} connections, one after the other, to 4 workers`)
  table(['', 'connections per worker', 'sleeps/connection', 'woken for nothing'],
    sharing.map(way => [way.title, way.connections.join(' '), way.sleeps_per_connection.toFixed(2), way.woken_for_nothing ?? '-']))
}

function printLines (lines) {
  console.log('one line of a peer: twice the members, twice the time')
  table(['', 'members', 'ms', 'ms for twice as many', 'ratio'],
    lines.map(kind => [kind.title, kind.members, (kind.seconds * 1e3).toFixed(2), (kind.twice * 1e3).toFixed(2), kind.ratio.toFixed(2)]))
}

// ---------------------------------------------------------------- the command line

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
    effort
  }
}

function save (folder, name, data) {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, name), JSON.stringify(data, null, 2) + '\n')
}

async function main (words) {
  const parts = [...Object.keys(figures), 'start', 'sharing', 'lines']
  const efforts = { quick, smoke }
  const unknown = words.find(word => ![...parts, ...candidates, ...Object.keys(efforts)].includes(word))
  if (unknown) {
    console.error(`bench: there is no ${unknown}\n  figures:    ${parts.join(' ')}\n  candidates: ${candidates.join(' ')}\n  effort:     quick`)
    return 2
  }
  const effort = efforts[words.find(word => efforts[word])] ?? full
  const some = list => { const named = words.filter(word => list.includes(word)); return name => !named.length || named.includes(name) }
  const part = some(parts)
  const candidate = some(candidates)
  fs.mkdirSync(scratch, { recursive: true })

  const bench = { ...circumstances(words, effort), per_request: [] }
  for (const name of Object.keys(figures).filter(part)) {
    for (const workers of figures[name].workers) {
      bench.per_request.push({ name, title: figures[name].title, workers, candidates: await measure(name, workers, candidate, effort) })
      printPerRequest(bench.per_request.at(-1))
    }
  }
  if (part('start')) printStart(bench.start = await measureStart(candidate, effort))
  const sharing = { ...circumstances(words, effort), workers: 4 }
  if (part('sharing')) printSharing(sharing.ways = await measureSharing(candidate, effort), effort.connections)
  if (part('lines')) printLines(bench.lines = JSON.parse(execFileSync(here('bench_lines'), [effort === smoke ? '2000' : '40000'])))

  bench.goals = judge(bench)
  if (bench.goals.length) {
    console.log('goals')
    table(['', 'figure', 'limit', ''], bench.goals.map(goal =>
      [goal.what, goal.figure, goal.limit, goal.reached ? 'reached' : 'MISSED']))
  }
  const everything = words.length === 0
  const data = everything ? path.join(root, 'notes/data') : scratch
  if (bench.per_request.length || bench.start || bench.lines) save(data, 'bench.json', bench)
  if (sharing.ways) save(data, 'sharing.json', sharing)
  if (everything) drawAll()
  console.log(`data: ${path.relative(process.cwd(), data) || '.'}/${everything ? '   charts: notes/pictures/' : ''}`)
  return 0
}

main(process.argv.slice(2)).then(code => { process.exitCode = code }, error => {
  console.error(`bench: ${error.message}`)
  process.exitCode = 1
})
