# Joins the page's parts to one file that needs nothing beside it:
#
#     cmake -D PAGE=page.html -P join.cmake
#
# Each .mjs is a module, which the tests import as it is. In one file there is one scope: `import` and `export` go. The policy names
# the only style and the only script that may be by their hashes, so that nothing else can be injected, wherever the file is opened.

cmake_minimum_required(VERSION 3.25)
set(modules events state player draw words stage timeline controls source page) # each after what it uses

# base64 of a hash given as hexadecimal digits.
function(base64_of hex result)
    set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
    string(LENGTH ${hex} digits)
    set(text "")
    foreach(at RANGE 0 ${digits} 3) # three digits are twelve bits, two letters
        string(SUBSTRING "${hex}000" ${at} 3 part)
        if(at LESS digits)
            math(EXPR high "0x${part} >> 6")
            math(EXPR low "0x${part} & 63")
            string(SUBSTRING ${alphabet} ${high} 1 first)
            string(SUBSTRING ${alphabet} ${low} 1 second)
            string(APPEND text ${first}${second})
        endif()
    endforeach()
    string(SUBSTRING ${text} 0 43 text) # of 256 bits
    set(${result} "${text}=" PARENT_SCOPE)
endfunction()

set(script "")
foreach(module IN LISTS modules)
    file(READ ${CMAKE_CURRENT_LIST_DIR}/${module}.mjs part)
    string(REGEX REPLACE "\nimport [^\n]*" "" part "\n${part}")
    string(REGEX REPLACE "\nexport " "\n" part "${part}")
    string(APPEND script "\n// ---------------- ${module}.mjs\n${part}")
endforeach()
if(script MATCHES "</script")
    message(FATAL_ERROR "a part of the page would end its script")
endif()
file(READ ${CMAKE_CURRENT_LIST_DIR}/page.css style)
file(READ ${CMAKE_CURRENT_LIST_DIR}/page.html joined)

string(SHA256 script_hash "\n${script}") # what stands between the tags
string(SHA256 style_hash "\n${style}")
base64_of(${script_hash} script_hash)
base64_of(${style_hash} style_hash)
string(CONCAT policy "default-src 'none'; script-src 'sha256-${script_hash}'; style-src 'sha256-${style_hash}'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'")

string(REPLACE "@policy@" "${policy}" joined "${joined}")
string(REPLACE "@style@" "${style}" joined "${joined}")
string(REPLACE "@script@" "${script}" joined "${joined}")
file(WRITE ${PAGE} "${joined}")
