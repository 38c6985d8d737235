// Who answers: how many PIDs five requests at once show, of a demo that has just been started, and
// what share the busiest worker gets of many connections.
'use strict'

const path = require('path')
const { execFile } = require('child_process')
const { promisify } = require('util')
const { Server, build, commands } = require('./servers')
const { oneConnectionEach } = require('./load')
const { round, table } = require('./table')

// [title, client, candidate, as it is typed, without its delay]
const demos = [
  ['http_cluster', 'http_client', 'ours', commands.answers.http_cluster, commands.keep_alive.ours],
  ['server_handoff', 'net_client', 'ours', commands.answers.server_handoff, commands.handoff.ours],
  ['Node, http_cluster', 'http_client', 'node', commands.answers.node_http, commands.keep_alive.node],
  ['Node, server_handoff', 'net_client', 'node', commands.answers.node_net, commands.handoff.node]
]
// Of the runs; and of the connections.
const limits = { one: 0.06, few: 0.25, busiest: 0.30 }

const share = (counts, total) => Math.max(...Object.values(counts)) / total

// How many runs showed one PID, two, ...
async function pidsOfFive (command, client, runs) {
  const seen = [0, 0, 0, 0]
  for (let i = 0; i < runs; i++) {
    const server = await Server.start(command(4))
    try {
      const { stdout } = await promisify(execFile)(path.join(build, 'clients', client), ['--port', server.port])
      const pids = new Set(server.workers.filter(pid => stdout.includes(pid)))
      seen[pids.size - 1]++
    } finally {
      await server.stop()
    }
  }
  return seen
}

async function measure (chosen, effort) {
  const result = []
  for (const [title, client, candidate, typed, fast] of demos) {
    if (!chosen(candidate)) continue
    const pids = await pidsOfFive(typed, client, effort.runs)
    const protocol = client === 'http_client' ? 'http' : 'tcp'
    const server = await Server.start(fast(4))
    try {
      const load = async (count, concurrency) =>
        round(share((await oneConnectionEach(protocol, server.port, { count, concurrency })).by_pid, count), 3)
      await load(100, 1)
      const count = effort.connections
      result.push({ title, candidate, runs: effort.runs, pids, busiest: { one_by_one: await load(count, 1), together: await load(10 * count, 64) } })
    } finally {
      await server.stop()
    }
  }
  return result
}

function print (answers, effort) {
  console.log(`five requests at once to a fresh demo, ${effort.runs} runs: how often so many PIDs; and the share of the busiest of 4 workers`)
  table(['', '1', '2', '3', '4', 'one by one', '64 at once'],
    answers.map(({ title, pids, busiest }) => [title, ...pids, `${round(100 * busiest.one_by_one, 1)} %`, `${round(100 * busiest.together, 1)} %`]))
}

function judge (answers) {
  return answers.filter(({ candidate }) => candidate === 'ours').flatMap(({ title, runs, pids, busiest }) => [
    { what: `${title}: runs with one PID`, figure: round(pids[0] / runs, 2), limit: limits.one },
    { what: `${title}: runs with one or two`, figure: round((pids[0] + pids[1]) / runs, 2), limit: limits.few },
    { what: `${title}: the busiest, one by one`, figure: busiest.one_by_one, limit: limits.busiest },
    { what: `${title}: the busiest, 64 at once`, figure: busiest.together, limit: limits.busiest }
  ])
}

module.exports = { measure, print, judge }
