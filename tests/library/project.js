// Projects of somebody else: made, configured and built in a folder of their own, which is gone afterwards.
'use strict'
const assert = require('assert')
const { spawnSync } = require('child_process')
const fs = require('fs')
const os = require('os')
const path = require('path')

const source = path.join(__dirname, '../..')
const build = process.env.BUILD_FOLDER || path.join(source, 'build')
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'library_test.'))

// What CMake cannot do.
const cannot_install = source.includes('"') && 'nothing can be installed from a folder with a double quote in its name'

// Whoever builds the suite may have set these for it.
const { CMAKE_GENERATOR, CMAKE_BUILD_TYPE, CXXFLAGS, CFLAGS, LDFLAGS, ...env } = process.env

function cached(name) {
  const found = fs.readFileSync(path.join(build, 'CMakeCache.txt'), 'utf8').match(new RegExp(`^${name}:\\w+=(.*)$`, 'm'))
  return found ? found[1] : ''
}

function cmake(...words) {
  const { status, stdout, stderr } = spawnSync('cmake', words, { env, encoding: 'utf8' })
  assert.strictEqual(status, 0, `cmake ${words.join(' ')}\n${stdout}${stderr}`)
  return stdout + stderr
}

let count = 0
// Configures the project in `folder`, with these definitions, by the compiler of our build.
function configure(folder, definitions = {}) {
  const where = path.join(scratch, `build${++count}`)
  const all = { CMAKE_CXX_COMPILER: cached('CMAKE_CXX_COMPILER'), ...definitions }
  const said = cmake('-G', 'Ninja', '-S', folder, '-B', where, ...Object.entries(all).map(([name, value]) => `-D${name}=${value}`))
  return { where, said, cache: fs.readFileSync(path.join(where, 'CMakeCache.txt'), 'utf8') }
}

// Installs our build; returns where.
function install() {
  const where = path.join(scratch, `installed${++count}`)
  cmake('--install', build, '--prefix', where)
  return where
}

function write(name, text) {
  const file = path.join(scratch, name)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, text)
  return file
}

// The names of all files below, sorted.
function files(folder, above = '') {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap(entry => entry.isDirectory()
    ? files(path.join(folder, entry.name), `${above}${entry.name}/`)
    : [above + entry.name]).sort()
}

function remove() { fs.rmSync(scratch, { recursive: true }) }

module.exports = { cannot_install, cmake, configure, files, install, remove, scratch, source, write }
