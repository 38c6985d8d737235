#!/usr/bin/env node
// node tests/notes/exercises.js check NUMBER [ANSWER]    one exercise, on this tree
// node tests/notes/exercises.js all [NUMBER...]          all of them, each with its solution and without, on a copy
'use strict'
const child_process = require('child_process')
const fs = require('fs')
const path = require('path')

const top = path.join(__dirname, '../..')
const answers = 'notes/answers'

const run = (cwd, command, ...words) => child_process.spawnSync(command, words, { cwd, encoding: 'utf8', env: { ...process.env, GIT_CEILING_DIRECTORIES: path.dirname(cwd) } })

// Builds the targets that the test names, if any. Returns what went wrong, undefined if nothing did.
function build(root, test) {
  const targets = fs.readFileSync(test, 'utf8').match(/^\/\/ build:(.*)$/m)[1].trim().split(/\s+/).filter(Boolean)
  if (!targets.length) return
  const { status, stdout, stderr } = run(root, 'cmake', '--build', 'build', '--target', ...targets)
  const missing = (stdout + stderr).match(/unknown target '([^']*)'/)
  if (missing) return `there is no ${missing[1]} yet; a program of your own needs a line in demos/CMakeLists.txt`
  if (status) return `does not build:\n${(stdout + stderr).split('\n').filter(line => !/^\[\d/.test(line)).slice(0, 30).join('\n')}`
}

// Builds and runs a test. Returns what differs, undefined when it passes.
function attempt(root, number, answer) {
  const test = path.join(root, answers, number, 'test.js')
  const broken = build(root, test)
  if (broken) return broken
  const { status, stdout, stderr } = run(root, process.execPath, test, ...answer === undefined ? [] : [answer])
  return status === 0 && stdout === 'pass\n' ? undefined : (stdout + stderr).trim() || `exit code ${status}`
}

const numbers = fs.existsSync(path.join(top, answers))
  ? fs.readdirSync(path.join(top, answers)).filter(name => /^\d+\.\d+$/.test(name)).sort((a, b) => parseFloat(a) - parseFloat(b)) : []

function check(number, answer) {
  if (!numbers.includes(number)) {
    console.log(`There is no exercise ${number}; there are ${numbers.join(' ') || 'none'}.`)
    return 2
  }
  const wrong = attempt(top, number, answer)
  console.log(wrong === undefined ? `${number}: pass` : `${number}: not yet\n${wrong.replace('check NUMBER', `check ${number}`).replace(/^/gm, '  ')}`)
  if (wrong !== undefined) console.log(`  a hint: ${answers}/${number}/README.md`)
  return wrong === undefined ? 0 : 1
}

// ---- all of them

// Makes `to` what `from` is, and touches only what differs, so that a build there stays as incremental as it can be.
function mirror(from, to, skip) {
  fs.mkdirSync(to, { recursive: true })
  const names = fs.readdirSync(from).filter(name => !skip.includes(name))
  for (const name of fs.readdirSync(to)) if (!names.includes(name) && !skip.includes(name)) fs.rmSync(path.join(to, name), { recursive: true })
  for (const name of names) {
    const [a, b] = [path.join(from, name), path.join(to, name)]
    if (fs.statSync(a).isDirectory()) mirror(a, b, [])
    else if (!fs.existsSync(b) || !fs.readFileSync(a).equals(fs.readFileSync(b))) fs.copyFileSync(a, b)
  }
}

function must(result, what) {
  if (result.error || result.status) throw new Error(`${what}:\n${result.error ?? result.stdout + result.stderr}`)
}

// Returns what is wrong with an exercise's test or solution, undefined if nothing is.
function prove(copy, number) {
  const folder = path.join(copy, answers, number)
  if (fs.existsSync(path.join(folder, 'answer'))) {
    const right = fs.readFileSync(path.join(folder, 'answer'), 'utf8').trim()
    if (attempt(copy, number, `not ${right}`) === undefined) return 'passes with a wrong answer'
    const wrong = attempt(copy, number, right)
    return wrong && `fails with the right answer: ${wrong}`
  }
  if (attempt(copy, number) === undefined) return 'passes without the solution'
  const patch = path.join(folder, 'solution.patch')
  const applied = run(copy, 'git', 'apply', patch)
  if (applied.status) return `the solution does not apply: ${applied.stderr.trim()}`
  const wrong = attempt(copy, number)
  must(run(copy, 'git', 'apply', '-R', patch), 'the solution cannot be taken back')
  return wrong && `fails with the solution: ${wrong}`
}

function all(wanted) {
  const copy = path.join(top, 'build/exercises')
  mirror(top, copy, ['build', '.git'])
  must(run(copy, 'cmake', '--preset', 'demo', '-DCMAKE_BUILD_TYPE=Debug', '-DCMAKE_CXX_FLAGS_DEBUG=-O0'), 'cmake')
  let failed = 0
  for (const number of wanted) {
    const began = Date.now()
    const wrong = prove(copy, number)
    if (wrong) failed++
    console.log(`${number}: ${wrong ?? 'fails without its solution, passes with it'} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
  }
  if (!wanted.length) console.log('There are no exercises.')
  return failed || !wanted.length ? 1 : 0
}

module.exports = { prove }

if (require.main === module) {
  const [command, ...words] = process.argv.slice(2)
  process.exitCode = command === 'check' ? check(...words) : command === 'all' ? all(words.length ? words : numbers) : 2
}
