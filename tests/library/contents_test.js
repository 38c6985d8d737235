// What another project gets of the suite: ipc, net and workers, under names that collide with nothing of its own.
'use strict'
const assert = require('assert')
const fs = require('fs')
const path = require('path')
const { after, test } = require('node:test')
const { cannot_install, configure, files, install, remove, scratch, source, write } = require('./project.js')
after(remove)

// A project with tests and with targets of every name that one could think of; prints what it has got.
function parent(name, first = '') {
  write(`${name}/main.cpp`, '#include "ipc/channel.hpp"\nint main() {}\n')
  write(`${name}/CMakeLists.txt`, `
cmake_minimum_required(VERSION 3.25)
project(${name} LANGUAGES CXX)
include(CTest)
foreach(taken IN ITEMS asio llhttp http_client net_client http_cluster socket_fanout compile_options static_runtime
        unit_tests ipc net workers http app posix common_ipc common_net common_workers common_posix)
    add_library(\${taken} INTERFACE)
endforeach()
${first}
add_subdirectory([[${source}]] suite)
add_executable(program main.cpp)
target_link_libraries(program PRIVATE process_cluster::ipc process_cluster::net process_cluster::workers)

function(print_targets folder)
    get_property(targets DIRECTORY \${folder} PROPERTY BUILDSYSTEM_TARGETS)
    get_property(folders DIRECTORY \${folder} PROPERTY SUBDIRECTORIES)
    foreach(target IN LISTS targets)
        message("target: \${target}")
    endforeach()
    foreach(below IN LISTS folders)
        print_targets(\${below})
    endforeach()
endfunction()
print_targets([[${source}]])
message("build type: '\${CMAKE_BUILD_TYPE}'")
`)
  return configure(path.join(scratch, name))
}

const targets = ({ said }) => [...said.matchAll(/^target: (.*)$/mg)].map(found => found[1]).sort()
const ours = ['asio', 'ipc', 'net', 'posix', 'workers'].map(name => `process_cluster_${name}`)

test('add_subdirectory gives ipc, net and workers and nothing else, beside targets of any name', () => {
  const project = parent('plain')
  assert.deepStrictEqual(targets(project), ours)
  assert.match(project.said, /^build type: ''$/m)
  assert.doesNotMatch(project.cache, /CLI11|LLHTTP|GTest|NODE|BUILD_FUZZ/)
})

test('an asio::asio that is already there is used, as it is', () => {
  const project = parent('with_asio', `
add_library(its_asio INTERFACE)
target_compile_definitions(its_asio INTERFACE ASIO_STANDALONE ITS_ASIO)
add_library(asio::asio ALIAS its_asio)`)
  assert.deepStrictEqual(targets(project), ours)
  const rules = fs.readFileSync(path.join(project.where, 'build.ninja'), 'utf8')
  assert.match(rules, /-DITS_ASIO/)
  assert.doesNotMatch(rules, /ASIO_SEPARATE_COMPILATION|asio\.cpp/)
})

test('the installation is the headers of ipc, net and workers, their libraries, and what find_package needs', { skip: cannot_install }, () => {
  const installed = files(install())
  const headers = files(path.join(source, 'common')).filter(name => /^((ipc|net|workers)\/)?\w+\.hpp$/.test(name))
  const below = (folder) => installed.filter(name => name.startsWith(folder)).map(name => name.slice(folder.length))
  assert.deepStrictEqual(below('include/process_cluster/'), headers)
  const rest = installed.map(name => path.basename(name)).filter(name => !name.endsWith('.hpp') && !/^targets-\w+\.cmake$/.test(name))
  assert.deepStrictEqual(rest.sort(), ['LICENSE', ...ours.map(name => `lib${name}.a`), 'process_cluster-config-version.cmake',
    'process_cluster-config.cmake', 'targets.cmake'])
})

test('find_package finds it, of this version, and not one that was built with another Asio', { skip: cannot_install }, () => {
  const prefix = install()
  const consumer = path.join(__dirname, 'consumer')
  const { cache } = configure(consumer, { CMAKE_PREFIX_PATH: prefix })
  assert.ok(cache.includes(`process_cluster_DIR:PATH=${prefix}`), cache)

  write('other_asio/asio.hpp', '')
  write('other_asio/asio/version.hpp', '#define ASIO_VERSION 999900 // 9.99.0\n')
  assert.throws(() => configure(consumer, { CMAKE_PREFIX_PATH: prefix, ASIO_INCLUDE_DIR: path.join(scratch, 'other_asio') }),
    /built with another Asio.*build and install it again/s)
})
