// How many connections a second one process can hand to another, and nothing else.
'use strict'

const path = require('path')
const { execFileSync } = require('child_process')
const { here } = require('./servers')
const { median, round, table } = require('./table')

const ways = [
  ['ours, 32 at a time', 'ours', seconds => [here('bench_handles'), 'channel', seconds, 32]],
  ['ours, one at a time', 'ours', seconds => [here('bench_handles'), 'channel', seconds, 1]],
  ['floor: raw calls', 'floor', seconds => [here('bench_handles'), 'raw', seconds]],
  ['Node', 'node', seconds => [process.execPath, path.join(__dirname, 'handles_node.js'), seconds]]
]
const limit = 0.1 // of ours, what Node does

function measure (chosen, effort) {
  const measured = ways.filter(([, candidate]) => chosen(candidate)).map(([title, candidate, command]) => ({ title, candidate, command, samples: [] }))
  for (let i = 0; i < effort.rounds; i++) {
    for (const { command, samples } of measured) {
      const [program, ...args] = command(effort.seconds).map(String)
      const { handles, seconds } = JSON.parse(execFileSync(program, args))
      samples.push(handles / seconds)
    }
  }
  return measured.map(({ title, candidate, samples }) => ({ title, candidate, per_second: Math.round(median(samples)), per_second_of_each_round: samples.map(Math.round) }))
}

function print (handles) {
  console.log('connections from one process to another, a line of JSON beside each')
  table(['', 'handles/s'], handles.map(({ title, per_second }) => [title, per_second]))
}

function judge (handles) {
  const [ours, node] = [ways[0][0], 'Node'].map(wanted => handles.find(({ title }) => title === wanted))
  if (!ours || !node) return []
  const ratios = ours.per_second_of_each_round.map((value, i) => node.per_second_of_each_round[i] / value)
  return [{ what: 'handles/s, Node / ours', figure: round(median(ratios), 3), limit }]
}

module.exports = { measure, print, judge }
