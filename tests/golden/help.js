// The help of each program, to the letter: what a reader meets first, and what changes without being noticed.
//
//     node tests/golden/help.js            says what differs (exit code 1)
//     node tests/golden/help.js update     writes it down as it is now
'use strict'
const assert = require('assert')
const { spawnSync } = require('child_process')
const fs = require('fs')
const path = require('path')

const top = path.join(__dirname, '../..')
const built = process.env.BUILD_FOLDER || path.join(top, 'build')
const { COLUMNS, ...env } = process.env // in a pipe, and nobody says how wide: 80
const programs = ['demos/socket_fanout', 'demos/server_handoff', 'demos/http_cluster', 'demos/cluster', 'demos/invalid_handle', 'demos/live', 'clients/net_client', 'clients/http_client']

for (const program of programs) {
  const { status, stdout, stderr } = spawnSync(path.join(built, program), ['--help'], { env, encoding: 'utf8' })
  const file = path.join(__dirname, `${path.basename(program)}.txt`)
  if (process.argv[2] === 'update') fs.writeFileSync(file, stdout)
  try {
    assert.deepStrictEqual({ status, stderr, lines: stdout.split('\n') }, { status: 0, stderr: '', lines: fs.readFileSync(file, 'utf8').split('\n') })
  } catch (error) {
    console.log(`${program} --help is not ${path.relative(top, file)}\n  node tests/golden/help.js update  writes it down, if it is right\n${error.message}`)
    process.exitCode = 1
  }
}
