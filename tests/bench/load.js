// The loads: what clients do to a server, and how it went. `through` is a command before that of the
// load, which runs it.
'use strict'

const path = require('path')
const { execFile } = require('child_process')
const { promisify } = require('util')
const { here } = require('./servers')

async function run (command, through) {
  const [program, ...args] = [...through, ...command].map(String)
  const { stdout } = await promisify(execFile)(program, args)
  return JSON.parse(stdout.trim().split('\n').pop())
}

// Requests on connections that are kept. wrk knows whole seconds only.
const wrk = (port, seconds, through = []) =>
  run(['wrk', '-t1', '-c64', `-d${Math.ceil(seconds)}s`, '-s', path.join(__dirname, 'wrk_json.lua'), `http://127.0.0.1:${port}/`], through)

// One connection for each request: so many, or for so long.
const oneConnectionEach = (protocol, port, { count = 1e9, seconds = 60, concurrency }, through = []) =>
  run([here('bench_load'), protocol, port, count, seconds, concurrency], through)

const oneShot = protocol => (port, seconds, through) =>
  oneConnectionEach(protocol, port, { seconds, concurrency: 64 }, through)

module.exports = { wrk, oneShot, oneConnectionEach }
