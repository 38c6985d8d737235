#!/usr/bin/env node
// node tests/notes/exercises.js check [--root=FOLDER]                     the exercises, and which have passed here
// node tests/notes/exercises.js check [--root=FOLDER] NUMBER [ANSWER]     one exercise, on this tree
// node tests/notes/exercises.js all [NUMBER...]                           all of them, each with its solution and without, on a copy
'use strict'
const child_process = require('child_process')
const fs = require('fs')
const path = require('path')

const answers = 'notes/answers', progress = 'build/passed_exercises'

const read = (...names) => fs.readFileSync(path.join(...names), 'utf8')
const is_there = (...names) => fs.existsSync(path.join(...names))
const run = (cwd, command, ...words) => child_process.spawnSync(command, words, { cwd, encoding: 'utf8', env: { ...process.env, GIT_CEILING_DIRECTORIES: path.dirname(cwd) } })

const numbers_in = root => is_there(root, answers)
  ? fs.readdirSync(path.join(root, answers)).filter(name => /^\d+\.\d+$/.test(name)).sort((a, b) => parseFloat(a) - parseFloat(b)) : []

const wants_number = (root, number) => is_there(root, answers, number, 'answer')
const patch_of = (root, number) => is_there(root, answers, number, 'solution.patch') ? read(root, answers, number, 'solution.patch') : ''

// What a solution adds beside the sources that are there: files, and lines of demos/CMakeLists.txt.
const new_files = patch => [...patch.matchAll(/^--- \/dev\/null\n\+\+\+ b\/(.*)$/gm)].map(([, file]) => file)
const demo_lines = patch => [...patch.matchAll(/^\+(add_demo\((\w+).*)$/gm)].map(([, line, name]) => ({ line, name }))

// Builds the targets that the test names, if any. Returns what went wrong, undefined if nothing did.
function build(root, number, say) {
  const patch = patch_of(root, number)
  const missing = new_files(patch).find(file => !is_there(root, file))
  if (missing) return `there is no ${missing} yet`
  for (const { line, name } of demo_lines(patch))
    if (!new RegExp(`^[ \\t]*add_demo\\(\\s*${name}\\b`, 'm').test(read(root, 'demos/CMakeLists.txt')))
      return `CMake does not know ${name} yet; add this line at the end of demos/CMakeLists.txt:\n  ${line}`

  const targets = read(root, answers, number, 'test.js').match(/^\/\/ build:(.*)$/m)[1].trim().split(/\s+/).filter(Boolean)
  if (!targets.length) return
  say(`Building ${targets.join(' ')} ...`)
  const { status, stdout, stderr } = run(root, 'cmake', '--build', 'build', '--target', ...targets)
  if (status) return `does not build:\n${(stdout + stderr).split('\n').filter(line => !/^\[\d/.test(line)).slice(0, 30).join('\n').trim()}`
}

// Builds and runs a test. Returns what differs, undefined when it passes.
function attempt(root, number, answer, say = () => {}) {
  const broken = build(root, number, say)
  if (broken) return broken
  const { status, stdout, stderr } = run(root, process.execPath, path.join(root, answers, number, 'test.js'), ...answer === undefined ? [] : [answer])
  return status === 0 && stdout === 'pass\n' ? undefined : (stdout + stderr).trim() || `exit code ${status}`
}

// ---- what a reader calls

// By number: {chapter: the file it is in, title}; from the table of appendix D.
function table_of(root) {
  const name = path.join(root, 'notes/D-answers.md')
  const cells = fs.existsSync(name) ? [...fs.readFileSync(name, 'utf8').matchAll(/\[(\d+\.\d)\]\(([^)#]*)#\1\) ([^|]*)/g)] : []
  return Object.fromEntries(cells.map(([, number, chapter, title]) => [number, { chapter: `notes/${chapter}`, title: title.trim() }]))
}

const passed_in = root => is_there(root, progress) ? read(root, progress).split('\n').filter(Boolean) : []

function note_passed(root, number) {
  fs.mkdirSync(path.join(root, 'build'), { recursive: true })
  fs.writeFileSync(path.join(root, progress), [...new Set([...passed_in(root), number])].map(line => line + '\n').join(''))
}

function list(root) {
  const numbers = numbers_in(root), passed = passed_in(root), table = table_of(root)
  for (const number of numbers)
    console.log(`  ${passed.includes(number) ? '✓' : ' '} ${number}  ${['observe', 'change', 'build'][number.split('.')[1] - 1].padEnd(7)}  ${table[number]?.title ?? ''}`)
  const done = numbers.filter(number => passed.includes(number)).length
  console.log(`${done} of ${numbers.length} have passed here. One of them:  ./run check ${numbers.find(number => !passed.includes(number)) ?? numbers[0]}`)
  return 0
}

function check(root, number, answer) {
  const refuse = (...lines) => { console.error(lines.join('\n')); return 2 }
  const numbers = numbers_in(root)
  if (!numbers.includes(number)) return refuse(`There is no exercise ${number}; there are ${numbers.join(' ') || 'none'}.`)
  if (wants_number(root, number)) {
    if (answer === undefined) return refuse(`${number}: a number is wanted, what you found:  ./run check ${number} NUMBER`)
    if (!/^\d+$/.test(answer.trim())) return refuse(`${number}: a number is wanted, not "${answer}":  ./run check ${number} NUMBER`)
  } else if (answer !== undefined) {
    return refuse(`${number}: no answer is wanted; your change is what is tested:  ./run check ${number}`)
  }

  const wrong = attempt(root, number, answer?.trim(), console.log)
  if (wrong === undefined) {
    note_passed(root, number)
    console.log(`${number}: pass`)
    return 0
  }
  console.log(`${number}: not yet\n${wrong.replace(/^(?=.)/gm, '  ')}`)
  console.log(`A hint is folded below exercise ${number} in ${table_of(root)[number]?.chapter ?? 'the notes'}.`)
  return 1
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

// With a patch applied: what the test says, {wrong}; or {unfit} when it does not apply.
function attempt_with(copy, number, patch) {
  const applied = run(copy, 'git', 'apply', patch)
  if (applied.status) return { unfit: `does not apply: ${applied.stderr.trim()}` }
  const wrong = attempt(copy, number)
  must(run(copy, 'git', 'apply', '-R', patch), 'it cannot be taken back')
  return { wrong }
}

// The patches that must not pass although what they print is right: tests/notes/refused/NUMBER-*.patch. The first line of each is
// `refused: ` and a part of what the test says.
const refused_in = (root, number) => is_there(root, 'tests/notes/refused')
  ? fs.readdirSync(path.join(root, 'tests/notes/refused')).filter(name => name.startsWith(`${number}-`)).map(name => path.join(root, 'tests/notes/refused', name)) : []

// Why a test cannot be tried here: undefined when it can.
function hindrance(root, number) {
  if (!/^\/\/ needs: two hosts$/m.test(read(root, answers, number, 'test.js'))) return
  const { status, stderr } = run(root, 'unshare', '--net', 'true')
  return status === 0 ? undefined : `two hosts need network namespaces, and root to make them: ${stderr?.trim()}`
}

// Returns what is wrong with an exercise's test or solution, undefined if nothing is.
function prove(copy, number) {
  const folder = path.join(copy, answers, number)
  if (wants_number(copy, number)) {
    const right = read(folder, 'answer').trim()
    if (attempt(copy, number, String(Number(right) + 1)) === undefined) return 'passes with a wrong answer'
    const wrong = attempt(copy, number, right)
    return wrong && `fails with the right answer: ${wrong}`
  }
  if (attempt(copy, number) === undefined) return 'passes without the solution'
  for (const patch of refused_in(copy, number)) {
    const name = path.basename(patch), reason = fs.readFileSync(patch, 'utf8').match(/^refused: (.*)\n/)[1]
    const { unfit, wrong } = attempt_with(copy, number, patch)
    if (unfit) return `${name} ${unfit}`
    if (wrong === undefined) return `passes with ${name}`
    if (!wrong.includes(reason)) return `refuses ${name}, but not because of "${reason}": ${wrong}`
  }
  const { unfit, wrong } = attempt_with(copy, number, path.join(folder, 'solution.patch'))
  return unfit ? `the solution ${unfit}` : wrong && `fails with the solution: ${wrong}`
}

function all(wanted) {
  const top = path.join(__dirname, '../..'), copy = path.join(top, 'build/exercises')
  if (!wanted.length) wanted = numbers_in(top)
  mirror(top, copy, ['build', '.git'])
  must(run(copy, 'cmake', '--preset', 'demo', '-DCMAKE_BUILD_TYPE=Debug', '-DCMAKE_CXX_FLAGS_DEBUG=-O0'), 'cmake')
  let failed = 0
  for (const number of wanted) {
    const hindered = hindrance(copy, number)
    if (hindered) {
      console.log(`${number}: SKIPPED, ${hindered}`)
      continue
    }
    const began = Date.now()
    const wrong = prove(copy, number)
    if (wrong) failed++
    const also = refused_in(copy, number).length ? `, with ${refused_in(copy, number).length} that only happen to work` : ''
    console.log(`${number}: ${wrong ?? `fails without its solution${also}, passes with it`} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
  }
  if (!wanted.length) console.log('There are no exercises.')
  return failed || !wanted.length ? 1 : 0
}

module.exports = { numbers_in, prove, table_of }

if (require.main === module) {
  const words = process.argv.slice(2)
  const at = words.findIndex(word => word.startsWith('--root='))
  const root = path.resolve(at < 0 ? path.join(__dirname, '../..') : words.splice(at, 1)[0].slice('--root='.length))
  const [command, ...rest] = words
  process.exitCode = command === 'check' ? (rest.length ? check(root, ...rest) : list(root)) : command === 'all' ? all(rest) : 2
}
