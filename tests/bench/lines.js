// How the time to read one line of a peer grows with what it holds.
'use strict'

const { execFileSync } = require('child_process')
const { here } = require('./servers')
const { table } = require('./table')

const limit = 2.7 // two, and noise; what is quadratic has four

const measure = (chosen, effort) => JSON.parse(execFileSync(here('bench_lines'), [String(effort.members)]))

function print (lines) {
  console.log('one line of a peer: twice the members, twice the time')
  table(['', 'members', 'ms', 'ms for eight times as many', 'each doubling'],
    lines.map(kind => [kind.title, kind.members, (kind.seconds * 1e3).toFixed(2), (kind.seconds_for_eight_times * 1e3).toFixed(2), kind.ratio.toFixed(2)]))
}

const judge = lines => lines.map(kind => ({ what: `one line, ${kind.title}: twice the members`, figure: kind.ratio, limit }))

module.exports = { measure, print, judge }
