// node --test tests/notes/exercises_test.js
//
// What ./run check says to a reader, and that a test or a solution which proves nothing is noticed.
'use strict'
const assert = require('assert')
const child_process = require('child_process')
const fs = require('fs')
const path = require('path')
const test = require('node:test')
const { prove } = require('./exercises.js')
const { in_scratch_folder } = require('./scratch.js')

// Writes an exercise whose test has this story.
function write_exercise(scratch, { story = '', build = '', answer, patch, options = '' }, number = '1.1') {
  const exercise = path.join(scratch, 'notes/answers', number)
  fs.mkdirSync(exercise, { recursive: true })
  fs.writeFileSync(path.join(scratch, 'number'), '41\n')
  fs.writeFileSync(path.join(exercise, 'test.js'), `// build: ${build}
    const { exercise, same } = require(${JSON.stringify(path.join(__dirname, 'exercise.js'))})
    const number = require('fs').readFileSync('number', 'utf8').trim()
    exercise(async ({ start, run, answer }) => { ${story} }, { ${options} })`)
  if (answer) fs.writeFileSync(path.join(exercise, 'answer'), answer)
  if (patch) fs.writeFileSync(path.join(exercise, 'solution.patch'), patch)
}

const change = (from, to) => `--- a/number\n+++ b/number\n@@ -1 +1 @@\n-${from}\n+${to}\n`

// What proving it says.
function proved(scratch, { refused, ...exercise }) {
  write_exercise(scratch, exercise)
  fs.mkdirSync(path.join(scratch, 'tests/notes/refused'), { recursive: true })
  if (refused) fs.writeFileSync(path.join(scratch, 'tests/notes/refused/1.1-so.patch'), refused)
  return prove(scratch, '1.1')
}

for (const [what, exercise, expected] of [
  ['a good one with an answer', { story: 'answer(number)', answer: '41' }, /^undefined$/],
  ['a good one with a solution', { story: "same(number, '42', 'it')", patch: change(41, 42) }, /^undefined$/],
  ['a test that any answer passes', { story: '', answer: '41' }, /^passes with a wrong answer$/],
  ['an answer that is not right', { story: 'answer(40)', answer: '41' }, /^fails with the right answer: 41 is not what this machine says$/],
  ['a test that passes before the change', { story: '', patch: change(41, 42) }, /^passes without the solution$/],
  ['a solution that does not pass', { story: "same(number, '43', 'it')", patch: change(41, 42) }, /^fails with the solution: it: expected '43'\n +but found '42'$/],
  ['a solution that no longer applies', { story: "same(number, '42', 'it')", patch: change(40, 42) }, /^the solution does not apply: /],
  ['a test that leaves a process running', { story: "await run('setsid sleep 60 >/dev/null & sleep 0.5'); answer(41)", options: 'patience: 100', answer: '41' }, /^fails with the right answer: processes are left running/],
  ['one that refuses what only happens to work', { story: "same(number, '42', 'it')", patch: change(41, 42), refused: 'refused: but found \'43\'\n' + change(41, 43) }, /^undefined$/],
  ['one that refuses it for another reason', { story: "same(number, '42', 'it')", patch: change(41, 42), refused: 'refused: luck\n' + change(41, 43) }, /^refuses 1\.1-so\.patch, but not because of "luck": it: expected/],
  ['one that passes with what only happens to work', { story: "same(number > 41, true, 'it')", patch: change(41, 42), refused: 'refused: luck\n' + change(41, 43) }, /^passes with 1\.1-so\.patch$/]
])
  test(`exercises: ${what}`, () => in_scratch_folder(scratch => assert.match(String(proved(scratch, exercise)), expected)))

// What ./run check says in this folder.
function checked(root, ...words) {
  const { status, stdout, stderr } = child_process.spawnSync(process.execPath, [path.join(__dirname, 'exercises.js'), 'check', `--root=${root}`, ...words], { encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

function says(root, words, status, ...expected) {
  const result = checked(root, ...words)
  for (const part of expected) assert.match(result.said, part)
  assert.strictEqual(result.status, status, result.said)
}

const of_observe = { story: 'answer(41)', answer: '41' }, of_change = { story: "same(number, '42', 'it')", patch: change(41, 42) }

test('check: alone it lists the exercises by title, with a tick for each that has passed, also before', () => in_scratch_folder(scratch => {
  write_exercise(scratch, of_observe, '1.1')
  write_exercise(scratch, of_change, '1.2')
  fs.writeFileSync(path.join(scratch, 'notes/D-answers.md'), '| [01](01-x.md) | [1.1](01-x.md#1.1) how many? | [1.2](01-x.md#1.2) one more |\n')
  says(scratch, [], 0, /^    1\.1  observe  how many\?\n    1\.2  change   one more\n0 of 2 have passed here\. .* 1\.1\n$/)
  says(scratch, ['1.1', '41'], 0, /^1\.1: pass\n$/)
  says(scratch, [], 0, /^  ✓ 1\.1  observe  how many\?\n    1\.2 .*\n1 of 2 have passed here\. .* 1\.2\n$/)
  says(scratch, ['1.1', '42'], 1, /42 is not what this machine says/)
  says(scratch, ['1.2'], 1, /A hint is folded below exercise 1\.2 in notes\/01-x\.md\./)
  says(scratch, [], 0, /✓ 1\.1 [^]*1 of 2/)
}))

test('check: a number is wanted where something is observed, none where something is changed', () => in_scratch_folder(scratch => {
  write_exercise(scratch, { ...of_observe, build: 'nothing' }, '1.1')
  write_exercise(scratch, of_change, '1.2')
  says(scratch, ['1.1'], 2, /a number is wanted.* \.\/run check 1\.1 NUMBER/)
  for (const answer of ['three', '', '4 1', '-1', '4.1']) says(scratch, ['1.1', answer], 2, /a number is wanted, not "/)
  says(scratch, ['1.2', '42'], 2, /no answer is wanted/)
  says(scratch, ['9.9'], 2, /There is no exercise 9\.9; there are 1\.1 1\.2\./)
}))

test('check: what is not there yet is named, with the line to add', () => in_scratch_folder(scratch => {
  const patch = ['--- a/demos/CMakeLists.txt', '+++ b/demos/CMakeLists.txt', '@@ -1 +1,2 @@', ' add_demo(one)', '+add_demo(two process_cluster::ipc)',
    '--- /dev/null', '+++ b/demos/two/main.cpp', '@@ -0,0 +1 @@', '+int main() {}', ''].join('\n')
  write_exercise(scratch, { build: 'two', patch })
  says(scratch, ['1.1'], 1, /not yet\n  there is no demos\/two\/main\.cpp yet\n/)
  fs.mkdirSync(path.join(scratch, 'demos/two'), { recursive: true })
  fs.writeFileSync(path.join(scratch, 'demos/two/main.cpp'), '')
  fs.writeFileSync(path.join(scratch, 'demos/CMakeLists.txt'), 'add_demo(one)\n# add_demo(two)\n')
  says(scratch, ['1.1'], 1, /add this line at the end of demos\/CMakeLists\.txt:\n    add_demo\(two process_cluster::ipc\)\n/)
}))

test('check: it says that it builds, and what does not build', () => in_scratch_folder(scratch => {
  fs.writeFileSync(path.join(scratch, 'CMakeLists.txt'), `cmake_minimum_required(VERSION 3.25)
    project(scratch NONE)
    add_custom_target(good COMMAND true)
    add_custom_target(bad COMMAND echo "main.cpp:1: error: no" COMMAND false)`)
  child_process.spawnSync('cmake', ['-S', scratch, '-B', path.join(scratch, 'build'), '-G', 'Ninja'])
  write_exercise(scratch, { build: 'good', patch: change(41, 42) }, '1.2')
  write_exercise(scratch, { build: 'good bad', patch: change(41, 42) }, '2.2')
  says(scratch, ['1.2'], 0, /^Building good \.\.\.\n1\.2: pass\n$/)
  says(scratch, ['2.2'], 1, /^Building good bad \.\.\.\n2\.2: not yet\n  does not build:\n/, /  main\.cpp:1: error: no\n/)
}))

test('check: so does ./run, from any folder', () => {
  const run = (...words) => child_process.spawnSync(path.join(__dirname, '../../run'), ['--no-install', 'check', ...words], { cwd: '/', encoding: 'utf8' })
  const { status, stdout, stderr } = run()
  assert.strictEqual(status, 0, stdout + stderr)
  assert.match(stdout, /^  [ ✓] 2\.1  observe  how many sockets\?\n/)
  assert.match(stdout, / of \d+ have passed here\. One of them:  \.\/run check \d\.\d\n$/)
  assert.strictEqual(run('9.9').status, 2)
})

// A demo of four lines: says `line`, then that it listens, and ends by Ctrl-C with `status`.
const demo = (line, status = 0) => `await start('bash -c "trap \\'exit ${status}\\' INT; echo \\'${line}\\'; echo listening on 127.0.0.1:1, workers 7 8\\\\; try: it; while :; do sleep 0.1; done"')`

for (const [what, story, status, ...expected] of [
  ['a demo that does not start is shown with what its child said', "await start('node -e \"const = 1\"')", 1,
    /has not said "listening on \.\.\."/, /what was said:\n +\$ node -e [^]*SyntaxError: [^]*\(exit code 1\)/],
  ['a difference is shown with what everybody said', `${demo('connection')}; await run('echo hello; exit 3'); same(1, 2, 'it')`, 1,
    /it: expected 2\n +but found 1/, /\$ bash -c [^]*\n +connection\n[^]*\$ echo hello; exit 3\n +hello\n +\(exit code 3\)/],
  ['much output is cut short', "await run('seq 100'); same(1, 2, 'it')", 1, /\n +25\n +\.\.\. 75 lines more\n/],
  ['a demo that says nothing of the kind passes', demo('connection'), 0, /1\.1: pass/],
  ['a demo that complains does not pass', demo('[7] http: the request handler threw: write_head() after end()'), 1, /complains: \[7\] http: the request handler threw/],
  ['a demo whose worker has died does not pass', demo('socket_fanout: worker 7 was killed by SIGSEGV; 3 left'), 1, /complains: socket_fanout: worker 7 was killed/],
  ['a demo whose Node child threw does not pass', demo('TypeError: socket.end is not a function'), 1, /complains: TypeError/],
  ['a demo that crashes when it is stopped does not pass', demo('connection', 139), 1, /ended with exit code 139 after Ctrl-C/]
])
  test(`said: ${what}`, () => in_scratch_folder(scratch => {
    write_exercise(scratch, { story, patch: change(41, 42) })
    says(scratch, ['1.1'], status, ...expected)
  }))
