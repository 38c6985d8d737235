// node tests/notes/checker_test.js [PART...]     PART is one of check.js, translations, update, or others; without one: all
//
// The checker finds nothing in whole.md, and in each of broken/*.md what its first line names: <!-- PART: MESSAGE -->.
'use strict'
const assert = require('assert')
const child_process = require('child_process')
const fs = require('fs')
const path = require('path')
const node_test = require('node:test')
const { awaited_closures, bare_conditions, cpp_of } = require('./conditions.js')
const { in_scratch_folder } = require('./scratch.js')
const { cannot_browse } = require('../browser/chromium.js')
const { cannot_trace } = require('./trace.js')

if (process.env.BROWSER === 'required') assert.strictEqual(cannot_browse(), undefined)
const impossible = { pictures: cannot_browse(), traces: cannot_trace() } // part: why it cannot be checked here

const parts = ['text', 'code', 'transcripts', 'traces', 'pictures'], groups = [...parts, 'translations', 'update'], wanted = process.argv.slice(2)
function test(name, ...how) {
  const part = groups.find(group => name.startsWith(group)) ?? 'others'
  if (!wanted.length || wanted.includes(part)) node_test(name, ...how)
}

function check(part, file_or_files, command = 'check', root = path.join(__dirname, '../..')) {
  const files = [file_or_files].flat(), patience = command === 'check' && files[0].includes('broken') ? ['--patience=2000'] : []
  const { status, stdout, stderr } = child_process.spawnSync(process.execPath,
    [path.join(__dirname, 'check.js'), command, `--root=${root}`, `--only=${part}`, ...patience, ...files],
    { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

for (const part of parts)
  test(`${part}: nothing is wrong in whole.md`, { skip: impossible[part] }, () => {
    const { status, output } = check(part, path.join(__dirname, 'whole.md'))
    assert.strictEqual(status, 0, output)
  })

// What is said of each broken document; those of one part are checked together, because Node takes its time to start.
const folder = path.join(__dirname, 'broken')
const broken = fs.readdirSync(folder).filter(file => file.endsWith('.md')).map(name => {
  const [, part, message] = fs.readFileSync(path.join(folder, name), 'utf8').match(/^<!-- (\w+): (.*) -->\n/)
  return { name, part, message }
})
const outputs = new Map()
function said_of({ name, part }) {
  if (!outputs.has(part)) outputs.set(part, check(part, broken.filter(other => other.part === part).map(other => path.join(folder, other.name))).output)
  return outputs.get(part).split(/^(?=\S+\.md:\d+: )/m).filter(said => said.startsWith(`tests/notes/broken/${name}:`)).join('')
}
for (const document of broken)
  test(`${document.part}: broken/${document.name} is noticed`, { skip: impossible[document.part] }, () =>
    assert.match(said_of(document), new RegExp(document.message)))

test('update puts an excerpt, an output and a transcript right, and then nothing is wrong', () => in_scratch_folder(scratch => {
  const cases = [['excerpt_changed', 'text', 'return 42;'], ['program_output_differs', 'code', '\n42\n'], ['transcript_differs', 'transcripts', '\nhello\n']]
  for (const [name, part, right] of cases) {
    const file = path.join(scratch, `${name}.md`)
    fs.copyFileSync(path.join(folder, `${name}.md`), file)
    assert.strictEqual(check(part, file, 'update').status, 0)
    assert.ok(fs.readFileSync(file, 'utf8').includes(right))
    assert.strictEqual(check(part, file).status, 0)
  }
}))

test('update puts measured numbers right, as they are written', () => in_scratch_folder(scratch => {
  const before = 'The first got 1,024<!-- = d.json most --> of them, 30.5 %<!-- = d.json share *100 -->; each: 1, 2, 3<!-- = d.json each[] -->.\n' +
    'Another 7\nstands above<!-- = d.json above -->.'
  fs.mkdirSync(path.join(scratch, 'notes/data'), { recursive: true })
  fs.writeFileSync(path.join(scratch, 'notes/data/d.json'), JSON.stringify({ most: 12345, share: 0.4567, each: [10, 2, 1024], above: 8 }))
  const file = path.join(scratch, 'numbers.md')
  fs.writeFileSync(file, before)
  assert.match(check('text', file, 'update', scratch).output, /the text says 7, the data 8/)
  assert.strictEqual(fs.readFileSync(file, 'utf8'), before.replace('1,024', '12,345').replace('30.5', '45.7').replace('1, 2, 3', '10, 2, 1024'))
}))

// What the checker says of these files, as if they were the whole suite.
function check_tree(root, files) {
  for (const [name, text] of Object.entries({ 'README.md': '', ...files })) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
    fs.writeFileSync(path.join(root, name), text)
  }
  fs.mkdirSync(path.join(root, 'notes'), { recursive: true })
  const command = [path.join(__dirname, 'check.js'), 'check', '--only=text', `--root=${root}`]
  return child_process.spawnSync(process.execPath, command, { encoding: 'utf8' }).stdout
}

const chapter = 'notes/02-x.md', patch = 'notes/answers/2.2/solution.patch'
const added = count => '--- a/x\n+++ b/x\n' + '+line\n'.repeat(count)
const with_exercise = (...folded) => '## Try this\n\n<a id="2.2"></a>**2.2 Change.** It.\n\n' +
  folded.map(summary => `<details><summary>${summary}</summary>\n\nIt.\n\n</details>\n`).join('')
const link = '[Node](https://nodejs.org/api/net.html)\n', links = 'tests/notes/external_links.txt'

for (const [what, files, expected] of [
  ['data that say where and when', { 'notes/data/a.json': '{"kernel": "6.1", "cores": 2, "date": "2026-01-01"}' }, /: 0 problems/],
  ['data without a kernel', { 'notes/data/a.json': '{"cores": 2, "date": "2026-01-01"}' }, /a\.json does not say its kernel/],
  ['data without cores', { 'notes/data/a.json': '{"kernel": "6.1", "date": "2026-01-01"}' }, /a\.json does not say its cores/],
  ['data without a date', { 'notes/data/a.json': '{"kernel": "6.1", "cores": 2}' }, /a\.json does not say its date/],
  ['a change of ten lines, its hint and answer folded', { [chapter]: with_exercise('Hint', 'Answer'), [patch]: added(10) }, /^(?![^]*(?:exercise 2\.2 a hint|adds))/],
  ['an exercise without a hint', { [chapter]: with_exercise('Answer') }, /below exercise 2\.2 a hint and then an answer are not folded/],
  ['an exercise without an answer', { [chapter]: with_exercise('Hint') }, /below exercise 2\.2 a hint and then an answer are not folded/],
  ['an answer before the hint', { [chapter]: with_exercise('Answer', 'Hint') }, /below exercise 2\.2 a hint and then an answer are not folded/],
  ['a change of eleven lines', { [chapter]: with_exercise('Hint', 'Answer'), [patch]: added(11) }, /the solution of 2\.2 adds 11 lines/],
  ['a list of exercises that is not whole', { 'notes/D-answers.md': '[2.1](02-x.md#2.1) a title', 'notes/answers/2.1/answer': '', [patch]: '' }, /exercise 2\.2 is not in the table/],
  ['external links that are listed', { 'README.md': link, [links]: 'https://nodejs.org/api/net.html\n' }, /: 0 problems/],
  ['an external link that is not listed', { 'README.md': link, [links]: '' }, /is not the list of the external links/],
  ['an external link that is listed and gone', { [links]: 'https://nodejs.org/api/net.html\n' }, /is not the list of the external links/]
])
  test(`text: ${what}`, () => in_scratch_folder(scratch => assert.match(check_tree(scratch, files), expected)))

const block = line => ['```console terminals', 'terminal 1 $ echo hello', `  1 | ${line}`, '```', ''].join('\n')
const diagram = (label, arrow = '-->') => ['```mermaid', 'flowchart LR', `    A[${label}] ${arrow}|${label}| B`, '```', ''].join('\n')
const original = (change = text => text) => change('[中文](README.zh-CN.md)\n\nDebian 12: `./run demo`, [a part](notes).\n\n' + block('hello') + diagram('word'))
const translation = (change = text => text) => change('[English](README.md)\n\n`./run demo` 在 Debian 12 上，[一部分](notes)。\n\n' + block('hello') + diagram('词'))
const replaced = (from, to) => text => { assert.ok(text.includes(from)); return text.replace(from, to) }

for (const [what, change_original, change_translation, expected] of [
  ['one that agrees', undefined, undefined, /: 0 problems/],
  ['another line in a transcript', replaced('1 | hello', '1 | hallo'), undefined, /zh-CN\.md:5: this block is not that of README\.md/],
  ['another command', undefined, replaced('$ echo hello', '$ echo hallo'), /zh-CN\.md:5: this block is not that of README\.md/],
  ['a block less', replaced(block('hello'), ''), undefined, /2 code blocks; README\.md has 1/],
  ['another kind of block', replaced('console terminals', 'console terminals order=any'), undefined, /README\.md has "console terminals order=any" here/],
  ['another arrow in a diagram', undefined, replaced('-->', '-.->'), /zh-CN\.md:9: this block is not that of README\.md/],
  ['another command in a sentence', replaced('`./run demo`', '`./run test`'), undefined, /code that README\.md has, and this has not: `\.\/run test`/],
  ['another link', undefined, replaced('(notes)', '(notes/data)'), /link that README\.md has, and this has not: notes/],
  ['another number', replaced('Debian 12', 'Debian 12 and 13'), undefined, /number that README\.md has, and this has not: 13/],
  ['no link to it', replaced('[中文](README.zh-CN.md)', ''), undefined, /README\.md has no link to this translation/],
  ['no link back', undefined, replaced('[English](README.md)', ''), /there is no link to README\.md/]
])
  test(`translations: ${what}`, () => in_scratch_folder(scratch => {
    fs.mkdirSync(path.join(scratch, 'notes/data'), { recursive: true })
    assert.match(check_tree(scratch, { 'README.md': original(change_original), 'README.zh-CN.md': translation(change_translation) }), expected)
  }))

test('translations: one without an original', () => in_scratch_folder(scratch =>
  assert.match(check_tree(scratch, { 'README.zh-CN.md': '', 'notes/a.zh-CN.md': '' }), /a\.zh-CN\.md:1: there is no notes\/a\.md that this translates/)))

test('translations: update copies what the original shows', () => in_scratch_folder(scratch => {
  const name = path.join(scratch, 'README.zh-CN.md')
  check_tree(scratch, { 'README.md': original(replaced('1 | hello', '1 | good day')), 'README.zh-CN.md': translation() })
  assert.strictEqual(check('text', name, 'update', scratch).status, 0)
  assert.match(fs.readFileSync(name, 'utf8'), /1 \| good day/)
}))

test('charts: one that does not show its data is noticed', () => in_scratch_folder(scratch => {
  const top = path.join(__dirname, '../..')
  for (const name of ['tests/bench/chart.js', 'notes/data', 'notes/pictures']) fs.cpSync(path.join(top, name), path.join(scratch, name), { recursive: true })
  const says = () => child_process.spawnSync(process.execPath, [path.join(scratch, 'tests/bench/chart.js'), '--check'], { encoding: 'utf8' })
  assert.strictEqual(says().status, 0)
  const file = path.join(scratch, 'notes/data/sharing.json')
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/"sleeps_per_connection": \d/, '"sleeps_per_connection": 9'))
  const { status, stderr } = says()
  assert.strictEqual(status, 1)
  assert.match(stderr, /not what the data say: sharing\.svg/)
}))

test('sendmsg: a byte that does not cross, and a picture of other bytes, are noticed', () => in_scratch_folder(scratch => {
  const notes = path.join(__dirname, '../../notes')
  for (const file of ['data/sendmsg.json', 'pictures/sendmsg.svg']) fs.cpSync(path.join(notes, file), path.join(scratch, file), { recursive: true })
  const says = () => child_process.spawnSync(process.execPath, [path.join(__dirname, 'sendmsg.js'), 'check', scratch], { encoding: 'utf8' }).stdout
  const change = (file, from, to) => {
    const name = path.join(scratch, file), text = fs.readFileSync(name, 'utf8')
    assert.ok(text.includes(from))
    fs.writeFileSync(name, text.replace(from, to))
  }
  assert.match(says(), /is what crosses/)
  change('pictures/sendmsg.svg', '>7b<', '>7c<')
  assert.match(says(), /sendmsg\.svg is not the picture/)
  change('data/sendmsg.json', '"data": "7b', '"data": "7c')
  assert.match(says(), /sendmsg\.json is not what crosses now/)
}))

test('conditions: each bare co_await is noticed, over several lines too, and nothing else is', () => {
  const text = fs.readFileSync(path.join(folder, 'conditions.cpp'), 'utf8')
  const marked = text.split('\n').flatMap((line, i) => line.endsWith('// bare') ? [i + 1] : [])
  assert.ok(marked.length)
  assert.deepStrictEqual(bare_conditions(text), marked)
})

test('conditions: a closure that owns something is noticed within what is awaited, over several lines too, and nowhere else', () => {
  const text = [
    'co_await each([weak = weak_from_this()](int i) { return f(i); });', // 1
    'co_await a(x,', '  [key] { return key; });', // 3
    'const auto all = co_await (each([=] {}) || timer);', // 4
    'co_await until([this, &x] { return x; });', 'co_await each(handlers[i](x));', 'auto f = [x] {}; co_await each(f);',
    'co_await f(); g([x] {});', '// co_await f([x] {});'].join('\n')
  assert.deepStrictEqual(awaited_closures(text), [1, 3, 4])
})

test('conditions: those in the C++ of a text and in the added lines of a solution are noticed where they stand', () => {
  const bare = 'while (co_await parent.receive()) {}'
  const text = ['say `' + bare + '`', '```cpp compile', bare, '```', '```text', bare, '```'].join('\n')
  assert.deepStrictEqual(bare_conditions(cpp_of('a.md', text)), [3])
  const patch = ['--- a/x', '+++ b/x', '@@ -1 +1 @@', '-' + bare, ' ' + bare, '+' + bare].join('\n')
  assert.deepStrictEqual(bare_conditions(cpp_of('a.patch', patch)), [6])
})

test('conditions: the check fails when it finds one', () => {
  const check = file => child_process.spawnSync(process.execPath, [path.join(__dirname, 'conditions.js'), path.join(folder, file)], { encoding: 'utf8' })
  const { status, stdout } = check('conditions.cpp')
  assert.strictEqual(status, 1)
  assert.match(stdout, /conditions\.cpp:5: a bare co_await as condition/)
  assert.strictEqual(check('source.cpp').status, 0)
})

test('holders: one who holds the socket and is not shown, and a picture of others, are noticed', () => in_scratch_folder(scratch => {
  const notes = path.join(__dirname, '../../notes')
  for (const file of ['data/holders.json', 'pictures/holders.svg']) fs.cpSync(path.join(notes, file), path.join(scratch, file), { recursive: true })
  const says = () => child_process.spawnSync(process.execPath, [path.join(__dirname, 'holders.js'), 'check', scratch], { encoding: 'utf8' }).stdout
  fs.appendFileSync(path.join(scratch, 'pictures/holders.svg'), '<!-- -->')
  assert.match(says(), /holders\.svg is not the picture/)
  const name = path.join(scratch, 'data/holders.json')
  fs.writeFileSync(name, fs.readFileSync(name, 'utf8').replace('"holds"', '"lives"'))
  assert.match(says(), /holders\.json is not what is so now/)
}))
