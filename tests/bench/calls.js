// How many system calls a server makes for one answer.
//
// The kernel can count them for perf(1), at no cost worth mentioning; but it does so for root, or
// for those whom kernel.perf_event_paranoid trusts. strace(1) can tell them apart, anybody may use
// it on processes of his own, and it slows them down: they then find more to do each time they wake
// up, and wake up less often for nothing. So its numbers are somewhat too small under load, and
// times are taken without either.
'use strict'

const fs = require('fs')
const path = require('path')
const { execFileSync, spawn } = require('child_process')
const { once } = require('events')
const { scratch, threads } = require('./servers')

const perf = (file, ...more) => ['perf', 'stat', '-x,', '-o', file, '-e', 'raw_syscalls:sys_enter', ...more]

function countOfPerf (file) {
  const [, number] = /^(\d+),,raw_syscalls:sys_enter/m.exec(fs.readFileSync(file, 'utf8')) ?? []
  fs.rmSync(file)
  return number && Number(number)
}

let perfWorks
function canPerf () {
  const file = path.join(scratch, `perf-${process.pid}`)
  const [program, ...args] = perf(file, 'true')
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return countOfPerf(file) > 0
  } catch {
    return false // not here, or not allowed
  }
}

const isTraced = thread => !/^TracerPid:\s*0$/m.test(fs.readFileSync(`${thread}/status`, 'utf8'))

// Counts those of some processes until stop(), which resolves to { accept4: 17, ... }; or to nothing
// where processes may not be traced.
async function strace (pids) {
  const file = path.join(scratch, `strace-${pids[0]}`)
  const tracer = spawn('strace', ['-f', '-c', '-U', 'calls,name', '-o', file, ...pids.flatMap(pid => ['-p', pid])], { stdio: 'ignore' })
  let isOver = false
  const ended = once(tracer, 'exit').catch(() => {}).then(() => { isOver = true })
  while (!isOver && !pids.flatMap(threads).every(isTraced)) await new Promise(resolve => setTimeout(resolve, 5))
  return {
    async stop () {
      if (isOver) return undefined
      tracer.kill('SIGINT')
      await ended
      const lines = fs.readFileSync(file, 'utf8').matchAll(/^ *(\d+) (\w+)$/gm)
      fs.rmSync(file)
      return Object.fromEntries([...lines].map(([, number, name]) => [name, Number(number)]))
    }
  }
}

// For one answer, { main: { accept4: 1, ... }, workers: { ... } }, each with a `total`.
async function callsByName (server, load) {
  const counters = { main: await strace([server.process.pid]), workers: await strace(server.processes.slice(1)) }
  const { answers } = await load(server.port)
  const result = {}
  for (const [who, counter] of Object.entries(counters)) {
    const calls = await counter.stop()
    if (!calls) return undefined
    result[who] = Object.fromEntries(Object.entries(calls).map(([name, number]) => [name, Number((number / answers).toFixed(2))])
      .filter(([, number]) => number >= 0.01))
  }
  return result
}

// `load` takes a port, and a command to be run by. Nothing where calls may not be counted.
async function callsPerAnswer (server, load) {
  perfWorks ??= canPerf()
  if (!perfWorks) {
    const { main, workers } = await callsByName(server, load) ?? {}
    return main && (main.total ?? 0) + (workers.total ?? 0)
  }
  const file = path.join(scratch, `perf-${process.pid}`)
  const { answers } = await load(server.port, perf(file, '-p', server.processes.join(','), '--'))
  return countOfPerf(file) / answers
}

module.exports = { callsPerAnswer, callsByName }
