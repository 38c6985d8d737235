// The check of the includes, on trees that are not in order.
'use strict'
const assert = require('assert')
const fs = require('fs')
const os = require('os')
const path = require('path')
const { after, test } = require('node:test')
const { check } = require('./includes.js')

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'includes_test.'))
after(() => fs.rmSync(scratch, { recursive: true }))

let count = 0
// What is found in a tree with these files beside a few that are right.
function found(files) {
  const root = path.join(scratch, String(++count))
  const all = {
    'CONTRIBUTING.md': ['| part | what it is | uses |', '| --- | --- | --- |', '| `demos/`, `clients/` | examples | `app`, `http` |',
      '| `common/app` | around them | `workers`, the options of `http` |', '| `common/workers` | children | `ipc` |',
      '| `common/http` | a server | `net` |', '| `common/ipc` | messages | `posix`, `event` |', '| `common/net` | sockets | `posix`, `event` |',
      '| `common/posix.hpp`, `common/event.hpp` | what all need | nothing of ours |', ''].join('\n'),
    'common/posix.hpp': '', 'common/event.hpp': '#include "posix.hpp"', 'common/posix.cpp': '#include "posix.hpp"',
    'common/ipc/channel.hpp': '#include "event.hpp"', 'common/ipc/channel.cpp': '#include "ipc/channel.hpp"\n\n#include "posix.hpp"',
    'common/app/demo.hpp': '#include "http/options.hpp"\n#include "ipc/channel.hpp"',
    'demos/one/main.cpp': '#include "../order.hpp"\n#include "net/listen.hpp"', 'clients/client.cpp': '', ...files
  }
  for (const [name, text] of Object.entries(all)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
    fs.writeFileSync(path.join(root, name), text)
  }
  return check(root)
}

test('a tree in order has no objections', () => assert.deepStrictEqual(found({}), []))

for (const [what, files, objection] of [
  ['against the order', { 'common/net/end.hpp': '#include "ipc/channel.hpp"' }, /^common\/net\/end\.hpp: "ipc\/channel\.hpp"; of ours it may use posix, event$/],
  ['of another header than the one that may be used', { 'common/app/demo.hpp': '#include "http/server.hpp"' }, /"http\/server\.hpp"/],
  ['by what all use', { 'common/event.hpp': '#include "net/end.hpp"' }, /^common\/event\.hpp: .*nothing$/],
  ['of one demo by another', { 'demos/two/main.cpp': '#include "../one/order.hpp"' }, /^demos\/two\/main\.cpp/],
  ['without the name of its folder', { 'common/ipc/handle.hpp': '#include "channel.hpp"' }, /"channel\.hpp"/],
  ['behind another one, of its own header', { 'common/ipc/channel.cpp': '#include "posix.hpp"\n#include "ipc/channel.hpp"' }, /its own header comes first/],
  ['in a part that the table does not know', { 'common/cluster/worker.hpp': '' }, /does not say what common\/cluster may use/]
]) {
  test(`an include ${what} is found`, () => {
    const objections = found(files)
    assert.strictEqual(objections.length, 1, objections.join('\n'))
    assert.match(objections[0], objection)
  })
}
