// Who gets how many of so many connections, made one after the other, and how often somebody had to
// wake up for one of them.
'use strict'

const { Server, commands } = require('./servers')
const { oneConnectionEach } = require('./load')
const { round, table } = require('./table')

const raw = { stdout: 'pipe' }
const ways = [
  ['shared', 'shared listener, epoll', commands.sharing.shared, raw],
  ['exclusive', 'EPOLLEXCLUSIVE', commands.sharing.exclusive, raw],
  ['reuseport', 'SO_REUSEPORT', commands.sharing.reuseport, raw],
  ['blocking', 'blocking accept', commands.sharing.blocking, raw],
  ['in_turn', 'the parent hands out in turn', commands.sharing.in_turn, raw],
  ['step_back', 'server_handoff', commands.handoff.ours, {}, 'ours'],
  ['accept_race', '--accept race', commands.accept.race, {}, 'ours'],
  ['accept_exclusive', '--accept exclusive', commands.accept.exclusive, {}, 'ours'],
  ['socket_fanout', 'socket_fanout', commands.fanout.ours, {}, 'ours'],
  ['cluster', 'cluster', commands.cluster.ours, { protocol: 'http' }, 'ours'],
  ['least_busy', '--policy least_busy', commands.cluster.least_busy, { protocol: 'http' }, 'ours'],
  ['cluster_shared', '--policy shared', commands.cluster.shared, { protocol: 'http' }, 'ours'],
  ['node', 'Node: shared listener', commands.handoff.node, {}, 'node'],
  ['node_cluster', 'Node: cluster', commands.close.node_cluster, { protocol: 'http' }, 'node_cluster']
]

async function measureOnce (command, protocol, options, effort) {
  const server = await Server.start(command(4), options)
  let measured, said
  try {
    const load = count => oneConnectionEach(protocol, server.port, { count, concurrency: 1 })
    await load(Math.ceil(effort.connections / 10)) // so that what happens only once is not counted
    const before = server.sleeps()
    const answers = await load(effort.connections)
    const sleeps = server.sleeps() - before
    const connections = server.workers.map(pid => answers.by_pid[pid] ?? 0)
    const total = connections.reduce((sum, value) => sum + value, 0)
    if (total !== effort.connections) throw new Error(`${command(4).join(' ')}: ${total} answers of workers, not ${effort.connections}`)
    measured = { connections, sleeps_per_connection: round(sleeps / total, 2) }
  } finally {
    said = await server.stop()
  }
  if (said) measured.woken_for_nothing = JSON.parse(said).woken_for_nothing.reduce((sum, value) => sum + value, 0)
  return measured
}

// A race goes differently each time: of several runs, the one whose busiest worker is in the middle.
async function measure (chosen, effort) {
  const result = []
  for (const [name, title, command, { protocol = 'tcp', ...options }, candidate = 'floor'] of ways) {
    if (!chosen(candidate)) continue
    const runs = []
    for (let i = 0; i < effort.turns; i++) runs.push(await measureOnce(command, protocol, options, effort))
    runs.sort((one, other) => Math.max(...one.connections) - Math.max(...other.connections))
    result.push({ name, title, runs: runs.length, ...runs[Math.floor(runs.length / 2)] })
  }
  return result
}

function print (sharing, effort) {
  console.log(`${effort.connections} connections, one after the other, to 4 workers`)
  table(['', 'connections per worker', 'sleeps/connection', 'woken for nothing'],
    sharing.map(way => [way.title, way.connections.join(' '), way.sleeps_per_connection.toFixed(2), way.woken_for_nothing ?? '-']))
}

module.exports = { measure, print }
