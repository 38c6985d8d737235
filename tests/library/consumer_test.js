// A project of somebody else builds with the helper, both ways, and its program does what appendix E says.
'use strict'
const assert = require('assert')
const { spawn } = require('child_process')
const net = require('net')
const path = require('path')
const readline = require('readline')
const { after, test } = require('node:test')
const { cannot_install, cmake, configure, files, install, remove, scratch, source, write } = require('./project.js')
after(remove)

const consumer = path.join(__dirname, 'consumer')

// Runs its program with one client; what the program and the client have read.
async function run(folder) {
  const parent = spawn(path.join(folder, 'parent'), { cwd: consumer, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise(resolve => parent.once('close', resolve))
  const lines = readline.createInterface(parent.stdout)[Symbol.asyncIterator]()
  const address = (await lines.next()).value
  assert.match(address, /^127\.0\.0\.1:\d+$/)

  let answer = ''
  const client = net.connect(Number(address.split(':')[1]), '127.0.0.1')
  for await (const data of client) answer += data
  const said = []
  for (let line = await lines.next(); !line.done; line = await lines.next()) said.push(line.value)
  assert.strictEqual(await ended, 0)
  assert.match(answer, /^yours, says \d+\n$/)
  assert.notStrictEqual(Number(answer.split(' ').pop()), parent.pid)
  assert.deepStrictEqual(said, ['the child has answered', 'the child exited with code 0'])
}

test('as a part of its build, and the compiler warns of nothing', async () => {
  const { where } = configure(consumer, { PROCESS_CLUSTER: source, CMAKE_COMPILE_WARNING_AS_ERROR: 'ON' })
  cmake('--build', where, '--target', 'parent')
  await run(where)
})

test('installed, and each of its headers compiles alone', { skip: cannot_install }, async () => {
  const prefix = install()
  const { where } = configure(consumer, { CMAKE_PREFIX_PATH: prefix, CMAKE_COMPILE_WARNING_AS_ERROR: 'ON' })
  cmake('--build', where)
  await run(where)

  const headers = files(path.join(prefix, 'include/process_cluster'))
  const sources = headers.map(header => path.basename(write(`headers/${header.replace('/', '_')}.cpp`, `#include "${header}"\n`)))
  write('headers/CMakeLists.txt', `
cmake_minimum_required(VERSION 3.25)
project(headers LANGUAGES CXX)
find_package(process_cluster REQUIRED)
add_library(headers OBJECT ${sources.join(' ')})
target_link_libraries(headers PRIVATE process_cluster::workers process_cluster::net)
`)
  cmake('--build', configure(path.join(scratch, 'headers'), { CMAKE_PREFIX_PATH: prefix }).where)
})
