// What one request costs: groups of servers that do the same, side by side.
//
// Processor time is that of all processes of a server, main and workers together. Rounds are
// interleaved, A B C A B C, so that a slow minute hits all alike; what is said of two servers is
// the median of the ratios of each round.
'use strict'

const { Server, commands } = require('./servers')
const { callsByName, callsPerAnswer } = require('./calls')
const { oneShot, wrk } = require('./load')
const { median, quantile, round, table } = require('./table')

const groups = {
  keep_alive: { title: 'HTTP, keep-alive, 64 connections', unit: 'request', load: wrk },
  close: { title: 'HTTP, one connection per request, 64 at once', unit: 'request', load: oneShot('http') },
  cluster: { title: 'cluster: HTTP, one connection per request, 64 at once', unit: 'request', load: oneShot('http') },
  fanout: { title: 'socket_fanout: every connection handed over, 64 at once', unit: 'handle', load: oneShot('tcp') },
  handoff: { title: 'server_handoff: the listener handed over, 64 at once', unit: 'connection', load: oneShot('tcp') }
}

// Upper limits of ours: of the ratio of processor times and of that of context switches, to another
// candidate's, and of the system calls beyond it.
const limits = {
  keep_alive: { time: { floor: 1.10, nginx: 1.00, node: 0.25 } },
  close: { time: { floor: 1.10, nginx: 1.00, node: 0.30 }, switches: { nginx: 1.10 } },
  cluster: { time: { node: 0.25 } },
  fanout: { time: { floor: 2.20, node: 0.25 }, switches: { floor: 1.10 }, calls: { floor: 10 } },
  handoff: { time: { floor: 1.30, node: 0.25 } }
}

async function measureOnce (server, load, seconds) {
  const before = { processes: String(server.processes), time: server.cpuTime(), switches: server.switches() }
  const { answers, errors, seconds: took, p99_ms } = await load(server.port, seconds)
  const time = server.cpuTime() - before.time
  const switches = server.switches() - before.switches
  if (errors) throw new Error(`${errors} requests failed: ${server.name}`)
  // What a process has used that has ended meanwhile would be missing.
  if (String(server.processes) !== before.processes) throw new Error(`a process came or went: ${server.name}`)
  return { cpu_us: time / 1000 / answers, switches: switches / answers, per_second: answers / took, p99_ms }
}

const workers = 4

async function measure (name, chosen, effort) {
  const { title, unit, load } = groups[name]
  const names = Object.keys(commands[name]).filter(chosen)
  const servers = []
  try {
    for (const candidate of names) servers.push(await Server.start(commands[name][candidate](workers)))
    for (const server of servers) await load(server.port, effort.warmUp) // Node compiles what is hot
    const samples = names.map(() => [])
    for (let i = 0; i < effort.rounds; i++) {
      for (const [k, server] of servers.entries()) samples[k].push(await measureOnce(server, load, effort.seconds))
    }
    const candidates = {}
    for (const [k, candidate] of names.entries()) {
      const of = key => samples[k].map(sample => sample[key])
      const loadFor = (port, through) => load(port, effort.seconds, through)
      const calls = await callsPerAnswer(servers[k], loadFor)
      candidates[candidate] = {
        cpu_us: round(median(of('cpu_us')), 2),
        calls: calls && round(calls, 2),
        switches: round(median(of('switches')), 2),
        per_second: Math.round(median(of('per_second'))),
        p99_ms: round(median(of('p99_ms')), 2),
        cpu_us_of_each_round: of('cpu_us').map(value => round(value, 2)),
        switches_of_each_round: of('switches').map(value => round(value, 3)),
        calls_by_name: effort.names ? await callsByName(servers[k], loadFor) : undefined
      }
    }
    return [{ name, title, unit, workers, candidates }]
  } finally {
    for (const server of servers) await server.stop()
  }
}

// The ratios of two candidates, of each round.
const ratios = (one, other, key) => one[`${key}_of_each_round`].map((value, i) => value / other[`${key}_of_each_round`][i])

function print (results, effort) {
  for (const { title, unit, workers, candidates } of results) {
    console.log(`${title}, ${workers} workers`)
    const others = ['floor', 'nginx', 'node'].filter(other => candidates[other])
    table(['', `CPU, us/${unit}`, ...others.map(other => '/ ' + other), 'system calls', 'switches', `${unit}s/s`, 'p99, ms'],
      Object.entries(candidates).map(([name, figure]) => [name, figure.cpu_us.toFixed(2),
        ...others.map(other => median(ratios(figure, candidates[other], 'cpu_us')).toFixed(2)),
        figure.calls?.toFixed(2) ?? '-', figure.switches.toFixed(2), figure.per_second, figure.p99_ms.toFixed(2)]))
    if (effort.names) printCalls(candidates)
  }
}

function printCalls (candidates) {
  for (const [name, { calls_by_name: calls }] of Object.entries(candidates)) {
    for (const [who, { total, ...each }] of Object.entries(calls ?? {})) {
      const sorted = Object.entries(each).sort(([, a], [, b]) => b - a)
      if (total >= 0.1) console.log(`  ${name}, ${who} ${total}: ${sorted.map(([call, number]) => `${call} ${number}`).join(', ')}`)
    }
  }
  console.log()
}

// What is reached, and by how much. A median above its limit is within the noise if a quarter of
// the rounds were below it.
function judge (results) {
  return results.flatMap(({ name, workers, candidates: { ours, ...others } }) => {
    const judged = []
    const where = `${name}, ${workers} workers`
    const add = (what, values, limit) => judged.push({
      what: `${where}: ${what}`, figure: round(median(values), 2), least: round(quantile(values, 0.25), 2), limit
    })
    const { time = {}, switches = {}, calls = {} } = limits[name]
    if (!ours) return []
    for (const [other, limit] of Object.entries(time))
      if (others[other]) add(`time, ours / ${other}`, ratios(ours, others[other], 'cpu_us'), limit)
    for (const [other, limit] of Object.entries(switches))
      if (others[other]) add(`switches, ours / ${other}`, ratios(ours, others[other], 'switches'), limit)
    for (const [other, limit] of Object.entries(calls))
      if (ours.calls && others[other]?.calls) add(`calls, ours - ${other}`, [ours.calls - others[other].calls], limit)
    return judged
  })
}

module.exports = { groups, measure, print, judge }
