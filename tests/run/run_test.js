// What ./run says and does before anything is built: on machines where packages are missing, in folders that were
// copied, without network or terminal. Nothing is installed: apt-get, sudo and cmake are scripts that only say so.
'use strict'
const assert = require('assert')
const { spawnSync } = require('child_process')
const fs = require('fs')
const os = require('os')
const path = require('path')
const { after, test } = require('node:test')

const root = path.join(__dirname, '../..')
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'run_test.'))
after(() => fs.rmSync(scratch, { recursive: true }))
fs.chmodSync(scratch, 0o755)

// What every Debian has; and nothing else is on the PATH, no compiler for example.
const base = path.join(scratch, 'base')
fs.mkdirSync(base)
for (const name of ['awk', 'bash', 'cat', 'chmod', 'cp', 'cut', 'date', 'dirname', 'env', 'find', 'grep', 'head', 'id', 'ls', 'mkdir', 'mktemp', 'mknod',
  'mv', 'nproc', 'readlink', 'rm', 'sed', 'sh', 'sort', 'tail', 'tar', 'tee', 'touch', 'true', 'uname', 'unshare', 'setpriv']) {
  for (const folder of ['/usr/bin', '/bin']) {
    if (!fs.existsSync(path.join(base, name)) && fs.existsSync(path.join(folder, name))) fs.symlinkSync(path.join(folder, name), path.join(base, name))
  }
}

let count = 0
// A folder with `run` in it, and a machine with these commands: NAME: lines of shell.
function machine(commands = {}, name = `tree ${++count}`) {
  const folder = path.join(scratch, name)
  const bin = path.join(scratch, `bin${count}`)
  fs.mkdirSync(path.join(folder, 'tests/debian'), { recursive: true })
  fs.mkdirSync(bin, { recursive: true })
  fs.copyFileSync(path.join(root, 'run'), path.join(folder, 'run'))
  fs.copyFileSync(path.join(root, 'tests/debian/on_debian.sh'), path.join(folder, 'tests/debian/on_debian.sh'))
  const called = path.join(scratch, `called${count}`)
  fs.writeFileSync(called, '')
  const all = { 'apt-get': 'exit 1', 'apt-cache': 'exit 0', 'dpkg-query': 'exit 1', sudo: '[ "$1" = -n ] && shift; exec "$@"', ...commands }
  for (const [command, lines] of Object.entries(all)) {
    fs.writeFileSync(path.join(bin, command), `#!/bin/sh\necho "${command} $*" >>'${called}'\n${lines}\n`, { mode: 0o755 })
  }
  return {
    folder,
    run(words, { env = {}, as = [] } = {}) {
      const { CI, COLUMNS, LC_ALL, LANG, ...ours } = process.env // bash warns of a locale that is not installed
      const [command, ...rest] = [...as, './run', ...words]
      const { status, stdout, stderr } = spawnSync(command, rest,
        { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 20000, env: { ...ours, PATH: `${bin}:${base}`, ...env } })
      return { status, stdout, stderr, lines: stderr.split('\n').filter(line => line) }
    },
    calls: (pattern) => fs.readFileSync(called, 'utf8').split('\n').filter(line => pattern.test(line)).length,
    cache(where, source) {
      fs.mkdirSync(path.join(folder, where), { recursive: true })
      fs.writeFileSync(path.join(folder, where, 'CMakeCache.txt'), `CMAKE_HOME_DIRECTORY:INTERNAL=${source}\n`)
    }
  }
}

// ---- packages

for (const words of [['demo'], ['test'], ['fuzz', '5']]) {
  test(`${words.join(' ')}, without a terminal and without --yes, installs nothing and says what to type`, () => {
    const { run, calls } = machine()
    const { status, stdout, stderr } = run(words)
    assert.strictEqual(status, 3, stderr)
    assert.match(stdout, /^ {2}(sudo )?apt-get install .*\bcmake\b/m)
    assert.ok(stderr.includes(`./run --yes ${words.join(' ')}`), stderr)
    assert.strictEqual(calls(/^(apt-get|sudo)/), 0)
  })
}

test('what follows live is for the program that it builds', () => {
  const { folder, run } = machine({ 'g++': 'exit 0', cmake: 'exit 0', ninja: 'exit 0', 'dpkg-query': 'echo installed' })
  fs.mkdirSync(path.join(folder, 'build/demos'), { recursive: true })
  fs.writeFileSync(path.join(folder, 'build/demos/live'), '#!/bin/sh\nfor word; do echo "<$word>"; done; exit 7\n', { mode: 0o755 })
  const { status, stdout, stderr } = run(['live', '--port', '0', '--record', 'a b'])
  assert.strictEqual(status, 7, stderr)
  assert.ok(stdout.endsWith('<--port>\n<0>\n<--record>\n<a b>\n'), stdout)
})

for (const before of [[], ['--yes']]) {
  test(`what follows ${[...before, 'on_debian', '13'].join(' ')} is for the ./run there`, () => {
    const { status, stderr } = machine({ unshare: 'exit 1' }).run([...before, 'on_debian', '13', 'test', 'unit', '--preset=ci'])
    assert.ok([3, 77].includes(status), stderr) // no debootstrap, not root, or no namespaces; but no bad usage
  })
}

test('--no-install installs nothing, not even with CI=true', () => {
  const { run, calls } = machine()
  assert.strictEqual(run(['demo', '--no-install'], { env: { CI: 'true' } }).status, 3)
  assert.strictEqual(calls(/^(apt-get|sudo)/), 0)
})

for (const agreed of [{ words: ['--yes', 'demo'] }, { words: ['demo'], env: { CI: 'true' } }]) {
  test(`${agreed.words.join(' ')} ${JSON.stringify(agreed.env ?? {})} installs what is missing`, () => {
    const { run, calls } = machine()
    assert.strictEqual(run(agreed.words, agreed).status, 3)
    assert.ok(calls(/^apt-get install .*cmake/) >= 1)
  })
}

const unreachable = 'for i in 1 2 3 4 5 6 7 8 9 10; do echo "W: Failed to fetch http://mirror/$i  Temporary failure resolving mirror"; done'

test('without network one line says so, and nothing is tried twice', () => {
  const { run, calls } = machine({ 'apt-get': `${unreachable}\n[ "$1" = update ] || { echo "E: Unable to locate package cmake"; exit 100; }` })
  const { status, stderr, lines } = run(['--yes', 'demo'])
  assert.strictEqual(status, 3)
  assert.match(lines[0], /could not be installed: no network, or the mirror does not answer\..*Temporary failure resolving/)
  assert.strictEqual(lines.length, 2, stderr)
  assert.match(lines[1], /build\/packages\.log/)
  assert.strictEqual(calls(/^apt-get install/), 1)
})

test('apt is asked to speak English, for we read what it says', () => {
  const { run, calls } = machine({ 'apt-get': `if [ "$LC_ALL" = C ]; then ${unreachable}; else echo "E: 暂时不能解析域名"; fi; exit 100` })
  const { status, lines } = run(['--yes', 'demo'], { env: { LANGUAGE: 'zh_CN' } })
  assert.strictEqual(status, 3)
  assert.match(lines[0], /no network, or the mirror does not answer/)
  assert.strictEqual(calls(/^apt-get install/), 1)
})

test('when the lists are old, they are fetched and the packages tried once more', () => {
  const { run, calls } = machine({ 'apt-get': '[ "$1" = update ] || { echo "Reading"; echo "E: Unable to fetch some archives"; exit 100; }' })
  const { status, lines } = run(['--yes', 'demo'])
  assert.strictEqual(status, 3)
  assert.match(lines[0], /could not be installed: Unable to fetch some archives/)
  assert.strictEqual(lines.length, 2)
  assert.strictEqual(calls(/^apt-get install/), 2)
})

const has_lists = fs.existsSync('/var/lib/apt/lists') && fs.readdirSync('/var/lib/apt/lists').some(name => name.includes('_Packages'))
for (const [candidate, wanted] of [['9.2.1~7.3.0', 'libllhttp-dev'], ['(none)', 'node-llhttp']]) {
  test(`where libllhttp-dev has the candidate ${candidate}, the parser is in ${wanted}`, { skip: !has_lists && 'no package lists here' }, () => {
    const { run } = machine({ 'apt-cache': `printf 'libllhttp-dev:\\n  Installed: (none)\\n  Candidate: ${candidate}\\n'` })
    assert.match(run(['doctor']).stdout, new RegExp(`^ +(here|missing) +${wanted} +demo`, 'm'))
  })
}

// ---- folders

const commands = [['demo'], ['build'], ['test'], ['asan'], ['test_as_nobody'], ['reload'], ['chaos'], ['fuzz'], ['coverage'], ['bench'], ['format'], ['notes'], ['check', '3.2'],
  ['on_debian', '13']]
for (const words of commands) {
  test(`${words.join(' ')} notices that build/ was copied with the tree`, () => {
    for (const where of ['build', 'build/asan']) {
      const { run, calls, cache } = machine()
      cache(where, '/somewhere/else')
      const { status, lines } = run(words, { env: { CI: 'true' } })
      assert.strictEqual(status, 3)
      assert.ok(lines[0].startsWith(`${where}/ was built for another folder, /somewhere/else`), lines[0])
      assert.match(lines[1], /\.\/run clean/)
      assert.strictEqual(calls(/^(apt-get|cmake)/), 0)
    }
  })
}

test('./run clean removes such a build/', () => {
  const { folder, run, cache } = machine()
  cache('build', '/somewhere/else')
  assert.strictEqual(run(['clean']).status, 0)
  assert.ok(!fs.existsSync(path.join(folder, 'build')))
})

test('a folder that is reached by another name is the same folder', () => {
  const { folder, run, cache } = machine()
  fs.symlinkSync(folder, path.join(scratch, 'another name'))
  cache('build', path.join(scratch, 'another name'))
  assert.match(run(['demo']).stdout, /packages are missing/)
})

for (const name of ["it's", 'with "quotes"', '子进程', 'a  b']) {
  test(`a folder may be called ${name}`, () => {
    const { run, cache, folder } = machine({}, name)
    cache('build', folder)
    assert.match(run(['demo']).stdout, /packages are missing/)
  })
}

for (const name of ['a$b', 'a;b', 'a#b', 'a\\b', 'a|b', 'a<b', 'a"b', '$HOME']) {
  test(`a folder called ${name} is refused at once`, () => {
    const { run } = machine({}, name)
    const { status, stderr } = run(['demo'])
    assert.strictEqual(status, 3)
    assert.ok(stderr.includes(`: ${path.join(scratch, name)}\n`), stderr)
  })
}

// ---- what it says

test('./run test says how long it will take', () => {
  const { run } = machine()
  assert.match(run(['test']).stdout, /^The tests take about \d+ minutes .*building them before about \d+ more/)
})

for (const words of [['on_debian'], ['on_debian', '11'], ['on_debian', '../13'], ['nonsense'], ['demo', 'nonsense'], ['test', 'unit', 'demo'], ['--nonsense']]) {
  test(`${words.join(' ')} is bad usage`, () => assert.strictEqual(machine().run(words).status, 2))
}

test('a Debian in a folder needs root, and without it is skipped with exit code 77', () => {
  const { folder, run } = machine()
  fs.mkdirSync(path.join(folder, 'build'))
  fs.chmodSync(path.join(folder, 'build'), 0o777)
  const as = process.getuid() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
  const { status, stdout } = run(['on_debian', '13'], { as })
  assert.strictEqual(status, 77)
  assert.match(stdout, /^skipped: .*sudo \.\/run on_debian 13\n$/)
})

test('where namespaces are not allowed, a Debian in a folder is skipped with exit code 77', { skip: process.getuid() !== 0 && 'root only' }, () => {
  const { run } = machine({ debootstrap: 'exit 1', unshare: 'exit 1' })
  const { status, stdout } = run(['on_debian', '13'])
  assert.strictEqual(status, 77)
  assert.match(stdout, /^skipped: this machine does not allow .*\n$/)
})
