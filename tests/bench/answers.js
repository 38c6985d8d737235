// Who answers: how many PIDs five requests at once show, of a demo that has just been started, and
// what share the busiest worker gets of many connections.
'use strict'

const path = require('path')
const { execFile, spawn } = require('child_process')
const { promisify } = require('util')
const { Server, build, commands, root } = require('./servers')
const { oneConnectionEach } = require('./load')
const { round, table } = require('./table')

const node = name => [process.execPath, path.join(root, 'tests/interop/node', `${name}.js`)]
const ours = name => [path.join(build, 'clients', name)]

// What is measured: the demo as it is typed, the same without its delay, the client, and what is
// special.
const http = { demo: commands.answers.http_cluster, fast: commands.keep_alive.ours, client: ours('http_client'), protocol: 'http', candidate: 'ours' }
const net = { demo: commands.answers.server_handoff, fast: commands.handoff.ours, client: ours('net_client'), protocol: 'tcp', candidate: 'ours' }
const cases = [
  ...[['http_cluster', http], ['server_handoff', net]].flatMap(([title, usual]) => [
    { ...usual, title, workers: 4 },
    { ...usual, title: '  one core busy', workers: 4, busy: true },
    { ...usual, title: '  Node\'s client', workers: 4, client: node(usual === http ? 'http_client' : 'net_client') },
    { ...usual, title: '  2 workers', workers: 2 },
    { ...usual, title: '  8 workers', workers: 8 }
  ].map(one => ({ ...one, demo_name: title }))),
  { ...http, title: 'Node, http_cluster', workers: 4, demo: commands.answers.node_http, fast: commands.keep_alive.node, candidate: 'node' },
  { ...net, title: 'Node, server_handoff', workers: 4, demo: commands.answers.node_net, fast: commands.handoff.node, candidate: 'node' }
]
// Of the runs; and of the connections.
const limits = { one: 0.06, few: 0.25, busiest: 0.30 }

const share = (counts, total) => Math.max(...Object.values(counts)) / total

// How many runs showed one PID, two, ...
async function pidsOfFive ({ demo, workers, client: [program, ...script] }, runs) {
  const seen = [0, 0, 0, 0, 0]
  for (let i = 0; i < runs; i++) {
    const server = await Server.start(demo(workers))
    try {
      const { stdout } = await promisify(execFile)(program, [...script, '--port', server.port])
      const pids = new Set(server.workers.filter(pid => stdout.includes(pid)))
      seen[pids.size - 1]++
    } finally {
      await server.stop()
    }
  }
  return seen
}

// Node's client is one process that does all at once; how many at a time only ours can be told, so
// instead of Node's the load in load.js, which is Node, too.
async function answersByPid ({ client: [program, ...script], protocol }, server, count, concurrency) {
  if (script.length) return (await oneConnectionEach(protocol, server.port, { count, concurrency })).by_pid
  const { stdout } = await promisify(execFile)(program,
    ['--port', server.port, '--count', count, '--concurrency', concurrency], { maxBuffer: 1 << 26 })
  return Object.fromEntries(server.workers.map(pid => [pid, stdout.split(`${pid}\n`).length - 1]))
}

async function busiest (one, count) {
  const server = await Server.start(one.fast(one.workers))
  try {
    const load = async (count, concurrency) =>
      round(share(await answersByPid(one, server, count, concurrency), count), 3)
    await load(100, 1)
    return { one_by_one: await load(count, 1), together: await load(10 * count, 64) }
  } finally {
    await server.stop()
  }
}

async function measure (chosen, effort) {
  const result = []
  for (const one of cases) {
    const { title, demo_name, candidate, workers, busy } = one
    if (!chosen(candidate)) continue
    const other = busy && spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' })
    try {
      result.push({ title, demo: demo_name, candidate, workers, runs: effort.runs,
        pids: await pidsOfFive(one, effort.runs), busiest: await busiest(one, effort.connections) })
    } finally {
      other?.kill('SIGKILL')
    }
  }
  return result
}

function print (answers, effort) {
  console.log(`five requests at once to a fresh demo, ${effort.runs} runs: how often so many PIDs; and the share of the busiest worker (of 4, unless it says otherwise)`)
  table(['', '1', '2', '3', '4', '5', 'one by one', '64 at once'],
    answers.map(({ title, pids, busiest }) => [title, ...pids, `${round(100 * busiest.one_by_one, 1)} %`, `${round(100 * busiest.together, 1)} %`]))
}

function judge (answers) {
  return answers.filter(({ title, demo }) => title === demo).flatMap(({ title, runs, pids, busiest }) => [
    { what: `${title}: runs with one PID`, figure: round(pids[0] / runs, 2), limit: limits.one },
    { what: `${title}: runs with one or two`, figure: round((pids[0] + pids[1]) / runs, 2), limit: limits.few },
    { what: `${title}: the busiest, one by one`, figure: busiest.one_by_one, limit: limits.busiest },
    { what: `${title}: the busiest, 64 at once`, figure: busiest.together, limit: limits.busiest }
  ])
}

module.exports = { measure, print, judge }
